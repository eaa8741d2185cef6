-- Records when `name`, which is in the index, ends: in `life` milliseconds, or never if that is 0. The index expires in `left`. Each
-- entry with an end has a deadline, possibly that of an earlier value. Index and deadlines live an eighth longer than the last entry,
-- so that they are seldom extended, and for ever while an entry has no end.
if life == 0 then
  call('ZREM', deadlines, name)
  if left >= 0 then
    call('PERSIST', index)
    -- An entry stored again may outlive its deadline, but not the index's old expiry. The empty name records that; no removal takes it
    -- out.
    if call('EXISTS', deadlines) == 1 then
      --: now
      call('ZADD', index, '0', '')
      call('ZADD', deadlines, string.format('%d', time + left), '')
      call('PERSIST', deadlines)
    end
  end
else
  --: now
  -- Before `tidy`, which would drop `name` from the index if an earlier deadline of it is due.
  call('ZADD', deadlines, string.format('%d', time + life), name)
  --: tidy
  if left < life and (left >= 0 or call('ZCARD', index) == call('ZCARD', deadlines)) then
    local span = call('PTTL', deadlines)
    if span < life then
      if span < 0 then
        -- The deadlines are new, or there was an entry without an end.
        span = call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2] - time
      end
      span = math.max(span, life)
      span = span + math.floor(span / 8) + 2000
      call('PEXPIRE', deadlines, span)
    end
    call('PEXPIRE', index, span)
  end
end
