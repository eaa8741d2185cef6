-- KEYS: lease. ARGV: what it holds if it is the caller's. Returns whether it was.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
