-- Drops names of entries that have expired by `time` from the index, a few at a time, so that each write pays for some of the
-- removals. An entry that was stored again since its deadline was recorded gets its current one.
local due = call('ZRANGEBYSCORE', deadlines, '-inf', string.format('%d', time), 'LIMIT', '0', '16')
if #due > 0 then
  local prefix, gone, entries = string.sub(index, 1, -6) .. ':', {}, {}
  for _, name in ipairs(due) do
    local left = redis.pcall('PTTL', prefix .. name)
    if type(left) == 'table' then
      -- The slot migrates to another node, and this entry is there by now.
      break
    elseif left == -2 then
      gone[#gone + 1] = name
      entries[#entries + 1] = prefix .. name
    else
      call('ZADD', deadlines, time + left + 1, name)
    end
  end
  -- An entry whose slot migrates to this node may be missing as well. Only a command on several keys reports that.
  if #gone > 0 and type(redis.pcall('EXISTS', deadlines, unpack(entries))) ~= 'table' then
    call('ZREM', index, unpack(gone))
    call('ZREM', deadlines, unpack(gone))
  end
end
