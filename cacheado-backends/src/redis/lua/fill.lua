-- KEYS: index, deadlines, entry, lease, marks. ARGV: name, value, life, owner of the lease or nothing, marks seen.
-- Returns whether the value is stored, which it is not if a mark has changed or the lease is another's.
local seen = marks(5)
if seen ~= ARGV[5] then
  return 0
end
if ARGV[4] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[4] .. ';' .. seen then
  return 0
end
local life = tonumber(ARGV[3])
local refused = enter(KEYS[1], KEYS[2], ARGV[1], life)
if refused then
  return refused
end
store(KEYS[3], ARGV[2], life)
if ARGV[4] ~= '' then
  redis.call('DEL', KEYS[4])
end
return 1
