-- KEYS: index, deadlines, entry, lease, marks. ARGV: name, value or the key where it lies, life, owner of the lease or nothing, marks seen.
-- Returns whether the value is stored, which it is not if a mark has changed or the lease is another's.
local seen = marks(5)
if seen ~= ARGV[5] or (ARGV[4] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[4] .. ';' .. seen) then
  discard(ARGV[2])
  return 0
end
if not is_there(ARGV[2]) then
  return 0
end
local life = tonumber(ARGV[3])
local refused = enter(KEYS[1], KEYS[2], ARGV[1], life)
if refused then
  discard(ARGV[2])
  return refused
end
store(KEYS[3], ARGV[2], ARGV[3])
if ARGV[4] ~= '' then
  redis.call('DEL', KEYS[4])
end
return 1
