-- Sets `mark` to `nonce`, which outdates the loads that began before. Each of those loads has seen the `root` mark and is refused once
-- that mark has expired. So this mark lives at least as long as the `root` mark: another process may have a larger `span`. Without a
-- `root` mark there is no load to outdate.
local left = call('PTTL', root)
if left ~= -2 then
  call('PSETEX', mark, left - span > 0 and left or span, nonce)
end
