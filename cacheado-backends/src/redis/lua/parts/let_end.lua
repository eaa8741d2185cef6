-- Gives an index that stayed for entries without an end the last end that is noted, once none of them is left: it may be that nothing is
-- stored any more, which would do so. One that is on its way to another node waits for that.
if redis.pcall('PTTL', index) == -1 and call('ZCARD', index) == redis.pcall('ZCARD', deadlines) then
  local last = call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2]
  call('PEXPIREAT', deadlines, last)
  call('PEXPIREAT', index, last)
end
