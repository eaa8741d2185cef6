-- KEYS: index, deadlines, the root's mark, the scope's mark. ARGV: what comes before a name in its entry's key, the range of names, how many at most, nonce
-- or nothing, the marks' span, channel, message or nothing.
-- Returns how many live entries were removed, and the last name if there may be more. With the first part comes the nonce, so that no load
-- that began before stores any more; when nothing is left goes the message, so that nobody hears of it who could still read an old entry.
if ARGV[5] ~= '' then
  -- a full server takes the mark once something was removed; the root's may be this one, and is looked at before
  local span = math.max(ARGV[6], redis.call('PTTL', KEYS[3]))
  redis.call('DEL', KEYS[4])
  leave(KEYS[3], KEYS[4], ARGV[5], span)
end
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local removed = 0
if #names > 0 then
  local entries = {}
  for i = 1, #names do
    entries[i] = ARGV[1] .. names[i]
  end
  -- one alone that is on its way here, with its slot, would be taken for none: of several keys the server says so
  redis.call('EXISTS', KEYS[1], unpack(entries))
  removed = redis.call('UNLINK', unpack(entries))
  redis.call('ZREM', KEYS[1], unpack(names))
  redis.call('ZREM', KEYS[2], unpack(names))
  let_end(KEYS[1], KEYS[2])
end
if #names == tonumber(ARGV[4]) then
  return {removed, names[#names]}
end
if ARGV[8] ~= '' then
  redis.call('PUBLISH', ARGV[7], ARGV[8])
end
return {removed}
