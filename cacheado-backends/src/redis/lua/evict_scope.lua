-- KEYS: index, deadlines, the root's mark, the scope's mark. ARGV: the prefix of entry keys, the lower and upper bound of the names,
-- the maximum number of entries to remove, a nonce or '', the marks' span, channel, message or ''.
-- Returns how many live entries were removed and, if there may be more, the last name. The nonce comes with the first part: from then
-- on no load that began earlier is stored. The message is published when nothing is left, so that no process that hears it can still
-- read an old entry.
local call, index, deadlines = redis.call, KEYS[1], KEYS[2]
if ARGV[5] ~= '' then
  -- A full server accepts the mark only after the script has deleted something. KEYS[3] may be this mark, so its TTL is read first.
  local span = math.max(ARGV[6], call('PTTL', KEYS[3]))
  call('DEL', KEYS[4])
  call('SET', KEYS[4], ARGV[5], 'PX', span)
end
local names = call('ZRANGEBYLEX', index, ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local removed = 0
if #names > 0 then
  local entries = {}
  for i = 1, #names do
    entries[i] = ARGV[1] .. names[i]
  end
  -- In a slot that migrates here, UNLINK counts a key yet to arrive as absent. For a command on several keys the server reports it.
  call('EXISTS', index, unpack(entries))
  removed = call('UNLINK', unpack(entries))
  call('ZREM', index, unpack(names))
  call('ZREM', deadlines, unpack(names))
  --: let_end
end
if #names == tonumber(ARGV[4]) then
  return {removed, names[#names]}
end
if ARGV[8] ~= '' then
  call('PUBLISH', ARGV[7], ARGV[8])
end
return {removed}
