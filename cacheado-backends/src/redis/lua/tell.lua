-- KEYS: a name that no key has. ARGV: channel, message.
-- Publishes the message after a write that changes nothing, so the script is refused wherever writes are refused. A bare PUBLISH is
-- also accepted by a replica, and by a node that has lost its part of the cluster, where no process listens any more.
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
