package Bench::Peers;

# What others send to the same receiver, on the same core, 64 in flight:
# OpenResty's cosockets, undici, BullMQ (its redis on the receiver's core, where
# it is faster, and on its own, where our store is), nginx's mirror (and what of
# that its copy takes, the least for which nginx sends something from within).

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

# HMAC-SHA256 is OpenSSL's, which nginx has loaded; ngx.hmac_sha1 is all that
# Debian's lua module brings

my $lua = <<'EOF';
lua_package_path "/usr/share/lua/5.1/?.lua;;";

init_by_lua_block {
    local ffi = require "ffi"

    ffi.cdef [[
        const void *EVP_sha256(void);
        unsigned char *HMAC(const void *md, const void *key, int key_len,
            const unsigned char *d, size_t n, unsigned char *out,
            unsigned int *len);
    ]]

    local out = ffi.new("unsigned char[32]")
    local sha256 = ffi.C.EVP_sha256()
    local key = ngx.decode_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    local f = io.open("%%BODY%%", "r")
    local body = f:read("*a")
    f:close()

    local function sign(text)
        ffi.C.HMAC(sha256, key, #key, text, #text, out, nil)
        return ngx.encode_base64(ffi.string(out, 32))
    end

    local function id(n)
        return string.format("%08x-%04x-8%03x-8%03x-%012x", n,
            math.random(0, 0xffff), math.random(0, 0xfff),
            math.random(0, 0xfff), math.random(0, 0xffffffff))
    end

    local function post(n)
        local sock = ngx.socket.tcp()
        sock:settimeouts(5000, 15000, 15000)

        local ok, err = sock:connect("127.0.0.1", %%SINK%%, { pool_size = 64 })
        if not ok then error(err) end

        local uuid, now = id(n), ngx.time()

        ok, err = sock:send { "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
            "Content-Type: application/json\r\nContent-Length: ", #body,
            "\r\nwebhook-id: ", uuid, "\r\nwebhook-timestamp: ", now,
            "\r\nwebhook-signature: v1,",
            sign(uuid .. "." .. now .. "." .. body), "\r\n\r\n", body }
        if not ok then error(err) end

        local line = sock:receive("*l")
        local status = line and line:match("^HTTP/1%.1 (%d+)")
        local length = 0

        repeat
            line = sock:receive("*l")
            if not line then error("no answer") end
            local n = line:match("^[Cc]ontent%-[Ll]ength: *(%d+)")
            length = n and tonumber(n) or length
        until line == ""

        if length > 0 then sock:receive(length) end
        if status ~= "204" then error("status " .. (status or "none")) end

        sock:setkeepalive(60000)
    end

    function send_all(count)
        local left, threads = count, {}

        for i = 1, 64 do
            threads[i] = ngx.thread.spawn(function ()
                while left > 0 do
                    left = left - 1
                    post(left)
                end
            end)
        end

        for i = 1, 64 do
            local ok, err = ngx.thread.wait(threads[i])
            if not ok then error(err) end
        end

        ngx.say(count)
    end
}

server {
    listen 127.0.0.1:%%PORT_0%%;

    location = /send {
        content_by_lua_block { send_all(tonumber(ngx.var.arg_n)) }
    }
}
EOF

my $mirror = <<'EOF';
upstream sink {
    server 127.0.0.1:%%SINK%%;
    keepalive 256;
}

server {
    listen 127.0.0.1:%%PORT_0%% backlog=4096;

    location / {
        mirror /mirror;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://sink;
    }

    location /plain/ {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://sink;
    }

    location = /mirror {
        internal;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://sink;
    }
}
EOF

sub run {
	my ($class, $servers) = @_;

	my $n = waiting();
	my $body = $servers->body('600');
	my $sink = $servers->url('sink', '/');
	my $dir = $servers->dir();

	my $resty = $servers->nginx($lua =~ s/%%BODY%%/$body/r, modules => [
		'/usr/lib/nginx/modules/ndk_http_module.so',
		'/usr/lib/nginx/modules/ngx_http_lua_module.so']);
	my $copier = $servers->nginx($mirror, modules => []);
	my $everysec = long() && redis($servers, 'everysec', \&far);
	my $always = redis($servers, 'always', \&far);
	my $beside = redis($servers, 'always', \&near);

	my $node = sub {
		my ($script, @arguments) = @_;

		my ($count, $took, $cpu, $longer, $more) = split ' ', output(
			near('node', bench($script), $sink, $body, $n,
			@arguments));

		return { rate => $n / $took, cpu => $cpu * 1e6 / $n,
			$more ? (whole => $more * 1e6 / $n) : () };
	};

	my @run = (
		wrk => sub {
			local $ENV{BODY} = $body;
			return wrk($sink);
		},
		(map { my $how = $_; ($how => sub {
			drain($servers->sender('off'), $how, 1, '600',
				waiting($how));
		}) } qw/ builtin via /),
		(map { my ($sync, $how) = split; ("$sync $how" => sub {
			drain($servers->sender($sync), $how, 1, '600',
				waiting($how));
		}) } long() ? 'normal builtin' : (), 'full builtin',
			'full via'),
		resty => sub { resty($resty, 3 * $n) },
		undici => sub { $node->('undici.mjs') },
		long() ? (everysec => sub {
			$node->('bullmq.mjs', $everysec);
		}) : (),
		always => sub { $node->('bullmq.mjs', $always) },
		beside => sub { $node->('bullmq.mjs', $beside) },
		mirror => sub { mirrored($copier, $body) },
	);

	my $r = rounds(@run);

	report "### Beside others, 600 bytes\n\n";

	table([ 'on one core', 'deliveries/s', 'of wrk', 'CPU us',
		'with its event' ], map {
			my ($name, $text) = @$_;

			[ $text, per_second(middle($r, $name, 'rate')),
				as_ratio(ratio($r, $name, 'rate', 'wrk')),
				microseconds(middle($r, $name, 'cpu')),
				$r->{$name}[0]{whole} ? microseconds(
					middle($r, $name, 'whole')) : '' ]
		}
		[ wrk => 'wrk' ],
		[ via => 'via' ],
		[ builtin => 'built-in' ],
		[ resty => 'OpenResty cosockets, HMAC; no queue' ],
		[ undici => 'undici, HMAC; no queue' ],
		[ mirror => 'mirror; unsigned, no queue' ],
		[ 'full via' => 'via, store full' ],
		[ 'full builtin' => 'built-in, store full' ],
		long() ? ([ 'normal builtin' => 'built-in, store normal' ],
			[ everysec => 'BullMQ, redis (fsync each 1 s), undici,'
				. ' HMAC' ]) : (),
		[ always => 'BullMQ, redis (fsync each time), undici, HMAC' ],
		[ beside => 'the same, redis on that core, too' ]);

	for ([ via => 'resty', 'via over OpenResty' ],
		[ via => 'undici', 'via over undici' ],
		long() ? [ 'normal builtin' => 'everysec', 'built-in, store '
			. 'normal, over BullMQ, fsync each 1 s' ] : (),
		[ 'full builtin' => 'always', 'built-in, store full, over '
			. 'BullMQ, fsync each time' ],
		[ 'full via' => 'always', 'via, store full, over BullMQ, '
			. 'fsync each time' ],
		[ 'full via' => 'beside', 'via, store full, over BullMQ, all '
			. 'on one core' ])
	{
		my ($name, $other, $text) = @$_;

		report sprintf "* %s: %s times its rate, %s of its CPU time\n",
			$text,
			as_ratio(ratio($r, $name, 'rate', $other)),
			as_ratio(ratio($r, $name, 'cpu', $other));
	}

	report sprintf "* via: %s us of CPU time; the copy alone that mirror"
		. " sends: %s us\n\n", microseconds(middle($r, 'via', 'cpu')),
		microseconds(middle($r, 'mirror', 'copy'));

	$servers->drop($_) for $resty, $copier;
}

sub resty {
	my ($s, $n) = @_;

	my ($pid) = $s->worker_pids();
	my $c = $s->connect(0, timeout => 60);

	# compiled, connected

	$c->request('GET', '/send?n=5000');

	my $before = cpu($pid);
	my $start = Time::HiRes::time();
	my $r = $c->request('GET', "/send?n=$n");
	my $took = Time::HiRes::time() - $start;

	die 'OpenResty: ' . $r->status . $s->error_log() . "\n"
		if $r->status != 200 || $r->body != $n;

	return { rate => $n / $took, cpu => (cpu($pid) - $before) / $n };
}

# its load comes from the receiver's core, its requests go there, too; CPU time
# is that of a request and its copy; copy: without the request's

sub mirrored {
	my ($s, $body) = @_;

	my ($pid) = $s->worker_pids();
	local $ENV{BODY} = $body;

	my ($both, $plain) = map {
		my $before = cpu($pid);
		my $r = wrk($s->url($_), \&far);

		{ rate => $r->{rate},
			cpu => (cpu($pid) - $before) / $r->{requests} };
	} qw! / /plain/ !;

	return { %$both, copy => $both->{cpu} - $plain->{cpu} };
}

sub redis {
	my ($servers, $fsync, $core) = @_;

	my $name = join '-', 'redis', $fsync, $core == \&near ? 'near' : 'far';
	my $port = $servers->free_port($name);
	my $dir = $servers->dir() . "/$name";
	mkdir $dir;

	start("$dir/log", $core->('redis-server', '--port', $port, '--bind',
		'127.0.0.1', '--dir', $dir, '--save', '', '--appendonly',
		'yes', '--appendfsync', $fsync));

	wait_for { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $port) } 20
		or die 'redis: ' . read_file("$dir/log");

	return $port;
}

###############################################################################

1;
