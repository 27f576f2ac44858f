-- With BENCH_NAMES set, posts projects under names that nobody else uses; prints the figures as one line of JSON.
local names = os.getenv("BENCH_NAMES")

if names then
   local sent = 0
   request = function()
      sent = sent + 1
      wrk.headers["Content-Type"] = "application/json"
      return wrk.format("POST", nil, nil, string.format('{"name": "%s-%d"}', names, sent))
   end
end

done = function(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status
   io.write(string.format(
      '\n{"requests": %d, "seconds": %f, "failed": %d, "late": %d, "p50": %f, "p99": %f}\n',
      summary.requests, summary.duration / 1e6, failed, errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
   ))
end
