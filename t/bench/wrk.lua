-- What a load of "make bench" is: POSTs of the file that BODY names, or GETs;
-- one in EVERY requests goes to OTHER instead.  HEADERS names a file of more
-- headers, a line each.

local file = os.getenv("BODY")
local other = os.getenv("OTHER")
local headers = os.getenv("HEADERS")
local every = tonumber(os.getenv("EVERY") or "20")
local n = 0

if file then
    local f = io.open(file, "r")
    wrk.method = "POST"
    wrk.body = f:read("*a")
    wrk.headers["Content-Type"] = "application/json"
    f:close()
end

if headers then
    for line in io.lines(headers) do
        local name, value = line:match("^(.-): (.*)$")
        wrk.headers[name] = value
    end
end

if other then
    local usual, rare

    init = function(args)
        usual = wrk.format()
        rare = wrk.format("POST", other)
    end

    request = function()
        n = n + 1
        return n % every == 0 and rare or usual
    end
end

function done(summary, latency, requests)
    local e = summary.errors

    print(string.format("result requests %d seconds %f errors %d p50 %f "
        .. "p99 %f p99.9 %f", summary.requests, summary.duration / 1e6,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9)))
end
