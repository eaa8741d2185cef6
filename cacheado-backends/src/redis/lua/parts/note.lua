-- Notes when `name` ends, which is in the index: in `life` milliseconds, or never if that is 0. The index lives for `left`. What has an end
-- has one among the deadlines, which may be that of an earlier value. Both live as long as the last entry, and an eighth longer, so that
-- they are seldom extended, and for ever with one that has no end.
if life == 0 then
  call('ZREM', deadlines, name)
  if left >= 0 then
    call('PERSIST', index)
    -- what was stored again may end later than is noted, but not later than this, which no entry's end takes out
    if call('EXISTS', deadlines) == 1 then
      --: now
      call('ZADD', index, '0', '')
      call('ZADD', deadlines, string.format('%d', time + left), '')
      call('PERSIST', deadlines)
    end
  end
else
  --: now
  -- before what has expired is taken out, which it may have been itself until now
  call('ZADD', deadlines, string.format('%d', time + life), name)
  --: tidy
  if left < life and (left >= 0 or call('ZCARD', index) == call('ZCARD', deadlines)) then
    local span = call('PTTL', deadlines)
    if span < life then
      if span < 0 then
        -- it has just begun, or there was an entry without an end
        span = call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2] - time
      end
      span = math.max(span, life)
      span = span + math.floor(span / 8) + 2000
      call('PEXPIRE', deadlines, span)
    end
    call('PEXPIRE', index, span)
  end
end
