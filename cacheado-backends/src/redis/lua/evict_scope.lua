-- KEYS: index, deadlines, the root's mark, the scope's mark. ARGV: what comes before a name in its entry's key, the range of names, how many at most, nonce
-- or nothing, the marks' span, channel, message or nothing.
-- Returns how many live entries were removed, and the last name if there may be more. With the first part comes the nonce, so that no load
-- that began before stores any more; when nothing is left goes the message, so that nobody hears of it who could still read an old entry.
local call, index, deadlines = redis.call, KEYS[1], KEYS[2]
if ARGV[5] ~= '' then
  -- a full server takes the mark once something was removed; the root's may be this one, and is looked at before
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
  -- one alone that is on its way here, with its slot, would be taken for none: of several keys the server says so
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
