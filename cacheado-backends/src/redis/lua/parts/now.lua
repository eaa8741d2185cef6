-- Sets `time` to this server's clock in milliseconds.
local time = call('TIME')
time = time[1] * 1000 + math.floor(time[2] / 1000)
