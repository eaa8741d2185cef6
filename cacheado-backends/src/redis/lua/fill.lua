-- KEYS: index, deadlines, entry, marks, and the lease if the load holds one. ARGV: the value or the key it is staged under, life, the
-- marks seen, the owner of the lease. Returns whether the value is stored. It is not if a mark has changed or another owner holds the
-- lease.
--: entry
local owner = ARGV[4]
local first, last = 4, owner and #KEYS - 1 or #KEYS
--: marks
local no_use = seen ~= ARGV[3] or (owner and call('GET', KEYS[#KEYS]) ~= owner .. ';' .. seen)
--: store
if owner and stored == 1 then
  call('DEL', KEYS[#KEYS])
end
return stored
