-- Takes names of entries that have expired by `time` out of the index: a few at a time, so that what is written pays for what has gone. One
-- that was stored again since its end was noted has it noted now.
local due = call('ZRANGEBYSCORE', deadlines, '-inf', string.format('%d', time), 'LIMIT', '0', '16')
if #due > 0 then
  local prefix, gone, entries = string.sub(index, 1, -6) .. ':', {}, {}
  for _, name in ipairs(due) do
    local left = redis.pcall('PTTL', prefix .. name)
    if type(left) == 'table' then
      -- the slot is on its way to another node, and this is there by now
      break
    elseif left == -2 then
      gone[#gone + 1] = name
      entries[#entries + 1] = prefix .. name
    else
      call('ZADD', deadlines, time + left + 1, name)
    end
  end
  -- an entry of a slot that is on its way here is missing as well, of which nothing but a command on several keys tells
  if #gone > 0 and type(redis.pcall('EXISTS', deadlines, unpack(entries))) ~= 'table' then
    call('ZREM', index, unpack(gone))
    call('ZREM', deadlines, unpack(gone))
  end
end
