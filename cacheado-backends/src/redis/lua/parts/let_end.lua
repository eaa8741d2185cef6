-- Gives an index that was kept for entries without an end an expiry again, once no such entry is left: the latest recorded deadline.
-- The next store would do the same, but there may be none. An index whose slot migrates to another node is skipped.
if redis.pcall('PTTL', index) == -1 and call('ZCARD', index) == redis.pcall('ZCARD', deadlines) then
  local last = call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2]
  call('PEXPIREAT', deadlines, last)
  call('PEXPIREAT', index, last)
end
