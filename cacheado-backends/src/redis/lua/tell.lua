-- KEYS: a name under which nothing is. ARGV: channel, message.
-- Tells others, after a write that changes nothing: so it is refused wherever writes are. A bare PUBLISH is taken by a replica too, and by
-- a node that has lost its part of a cluster, to which nobody listens any more.
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
