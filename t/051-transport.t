#!/usr/bin/perl

# The built-in transport, plain HTTP: what comes of each way in which a receiver
# can answer, or fail to, and what the log then says of it.

###############################################################################

use warnings;
use strict;

use IO::Socket::INET;
use MIME::Base64 qw/ encode_base64 /;
use POSIX ();
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $blackhole = $t->blackhole();

my $hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nRetry-After: 9\r\n\r\n";
my $ok = "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok";
my $ok_headers = { 'X-A' => 'b', 'Content-Length' => 2 };

# name => [ behaviour, settings of the webhook, what the log says ]

my %cases = (
	ok => [ { status => 200, body => 'hello', headers => { 'X-A' => 'b' } },
		'', { code => 200, body => 'hello', size => 5, truncated => 0,
		headers => { 'X-A' => 'b', 'Content-Length' => 5 } } ],
	none => [ { status => 204 }, '', { code => 204, body => '' } ],
	refused => [ { status => 500, body => 'oops' }, '',
		{ code => 500, body => 'oops' } ],
	moved => [ { status => 307, headers => { Location => '/ok' } }, '',
		{ code => 307 } ],
	challenge => [ { status => 401, headers => {
		'WWW-Authenticate' => 'Basic realm="x"' } }, '',
		{ code => 401 } ],
	chunked => [ { status => 200, body => 'abc' x 5000, chunked => 1000 },
		'', { code => 200, size => 15000, truncated => 1 } ],
	large => [ { status => 200, size => 1024 * 1024 }, '',
		{ code => 200, truncated => 1, body => qr/^.{4096}\z/s } ],
	fits => [ { status => 200, size => 4096 }, '',
		{ code => 200, truncated => 0, size => 4096 } ],
	headers => [ { status => 200, headers => { map { ("X-$_" => 'v' x 900) }
		1 .. 40 } }, '', { code => 200 } ],
	flood => [ undef, 'url %%URL_r%%/flood;',
		{ error => 'protocol', message => qr/large/ } ],
	trailers => [ undef, 'url %%URL_r%%/trailers; timeout 3s;',
		{ code => 200, body => 'hello' } ],
	extension => [ undef, 'url http://127.0.0.1:%%PORT_endless%%/;'
		. 'timeout 1m;', { code => 200, body => 'hello' } ],
	line => [ undef, 'url %%URL_r%%/line;',
		{ error => 'protocol', message => qr/large/ } ],
	reason => [ undef, 'url %%URL_r%%/reason;',
		{ error => 'protocol', message => qr/large/ } ],
	'continue' => [ { raw => "HTTP/1.1 100 Continue\r\n\r\n$ok" }, '',
		{ code => 200, body => 'ok', headers => $ok_headers } ],
	hints => [ { raw => "$hints$ok" }, '',
		{ code => 200, body => 'ok', headers => $ok_headers } ],
	'hints-only' => [ { raw => $hints, then => 'close' }, '',
		{ error => 'reset' } ],
	closed => [ { drop => 'close' }, '', { error => 'reset' } ],
	reset => [ { drop => 'reset' }, '', { error => 'reset' } ],
	head => [ { raw => "HTTP/1.1 200 OK\r\nX-A: b\r\n", then => 'close' },
		'', { error => 'reset', message => qr/within its headers/ } ],
	'head-reset' => [ { raw => "HTTP/1.1 200 OK\r\nX-A: b\r\n",
		then => 'reset' }, '', { error => 'reset' } ],
	cut => [ { status => 200, size => 1000, truncate => 10,
		then => 'close' }, '', { code => 200, error => 'broken',
		message => qr/within its body/ } ],
	'cut-reset' => [ { status => 200, size => 1000, truncate => 10,
		then => 'reset' }, '', { code => 200, error => 'broken' } ],
	chunk => [ { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
		. "\r\nzz\r\nabc\r\n", then => 'close' }, '',
		{ code => 200, error => 'broken' } ],
	identity => [ { raw => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		. "Transfer-Encoding: identity\r\n\r\nok", then => 'hang' },
		'timeout 3s;', { code => 200, body => 'ok' } ],
	'identity-none' => [ { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding:"
		. " Identity\r\nContent-Length: 0\r\n\r\n", then => 'hang' },
		'timeout 3s;', { code => 200, body => '' } ],
	'identity-end' => [ { raw => "HTTP/1.1 200 OK\r\n"
		. "Transfer-Encoding: identity\r\n\r\nabc", then => 'close' },
		'', { code => 200, body => 'abc' } ],
	switching => [ { raw => "HTTP/1.1 101 Switching Protocols\r\n"
		. "Connection: Upgrade\r\nUpgrade: x\r\n\r\n", then => 'hang' },
		'timeout 3s;', { code => 101, body => '' } ],
	old => [ { raw => "HTTP/1.0 200 OK\r\n\r\nabc", then => 'close' }, '',
		{ code => 200, body => 'abc' } ],
	garbage => [ { raw_b64 => encode_base64("\0\1\2 garbage\r\n\r\n", ''),
		then => 'close' }, '', { error => 'protocol' } ],
	ssh => [ { raw => "SSH-2.0-OpenSSH_9\r\n", then => 'close' }, '',
		{ error => 'protocol' } ],
	early => [ { status => 413, early => 1, unread => 1, then => 'close' },
		'', { code => 413 } ],
	hang => [ { drop => 'hang' }, 'timeout 300ms;',
		{ error => 'timeout' } ],
	drip => [ { status => 200, size => 1000, piece => 1, gap => 100 },
		'timeout 500ms;', { error => 'timeout' } ],
	'head-drip' => [ { status => 200, size => 10, piece => 1, gap => 100,
		head => 1 }, 'timeout 500ms;', { error => 'timeout' } ],
	host => [ { status => 204 }, 'url http://localhost:%%PORT_r%%/host;',
		{ code => 204 } ],
	user => [ { status => 204 },
		'url http://me:pa55@127.0.0.1:%%PORT_r%%/user?token=t0k;',
		{ code => 204 } ],
	port => [ undef, 'url http://127.0.0.1:%%PORT_nobody%%/s3cret?k=s3cret;',
		{ error => 'connect', message => qr/refused$/,
		peer => qr/^127\.0\.0\.1:\d+$/ } ],
	name => [ undef, 'url http://nosuch.invalid/s3cret?k=s3cret;',
		{ error => 'dns', peer => undef } ],
	black => [ undef, "url http://127.0.0.1:$blackhole/; timeout 400ms;",
		{ error => 'timeout', peer => "127.0.0.1:$blackhole" } ],
	unconnected => [ undef, "url http://127.0.0.1:$blackhole/; timeout 20s;",
		{ error => 'timeout', message =>
		qr/^no connection to 127\.0\.0\.1:\d+ within 5000 ms$/ } ],
	folded => [ { raw => "HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\r\n"
		. "Content-Length: 2\r\n\r\nok" }, '',
		{ code => 200, body => 'ok' } ],
	'folded-first' => [ { raw => "HTTP/1.1 200 OK\r\n X-A: b\r\n"
		. "Content-Length: 0\r\n\r\n", then => 'close' }, '' ],
	tls => [ undef, 'url https://127.0.0.1:%%PORT_r%%/; timeout 400ms;',
		{ error => qr/^(tls|timeout)$/ } ],
	proxy => [ undef, 'url http://nosuch.invalid/proxy;'
		. 'proxy %%URL_proxy%%;', { code => 204 } ],
	connect => [ undef, 'url https://nosuch.invalid/;'
		. 'proxy %%URL_proxy%%;', { error => 'proxy',
		message => qr/403/ } ],
	'no-proxy' => [ undef, 'url http://nosuch.invalid/;'
		. 'proxy http://127.0.0.1:%%PORT_nobody%%;',
		{ error => 'proxy' } ],
);

my $zone = zone();

$cases{zone} = [ undef, "url http://[$zone]:%%PORT_zone%%/;", { code => 204 } ]
	if $zone;

my $r = $t->receiver('r', rules => { map { ("/$_" => $cases{$_}[0]) }
	grep { $cases{$_}[0] } keys %cases });
my $proxy = $t->receiver('proxy', rules => { '*' => { status => 403 },
	'http://nosuch.invalid/proxy' => { status => 204 } });

# too much for an argument

$r->set('/line' => { status => 503, headers => { 'X-A' => 'v' x 200_000 } });
$r->set('/reason' => { status => 503, reason => 'v' x 200_000 });
$r->set('/flood' => { status => 200, headers => {
	map { ("X-$_" => 'v' x 900) } 1 .. 300 } });
$r->set('/trailers' => { raw => "HTTP/1.1 200 OK\r\n"
	. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
	. "X-A: v\r\n" x 100_000, then => 'hang' });

my $endless = endless();
my $hooks = '';

for my $name (sort keys %cases) {
	my $settings = $cases{$name}[1];
	my $url = $settings =~ /\burl / ? '' : "url %%URL_r%%/$name;";

	$hooks .= "webhook $name { $url $settings }\n";
}

my $six = $zone ? 'server { listen [::]:%%PORT_zone%% ipv6only=on; return 204; }'
	: '';

$t->http_config(<<"EOF");

webhook_defaults { retry off; }

$six

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    $hooks

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

# a ping for each of them

for my $name (sort keys %cases) {
	my $want = $cases{$name}[2] or next;
	my $d = ended($name);
	my $a = $d->{attempts}[0];
	my $response = $d->{response};

	is(@{ $d->{attempts} }, 1, "$name - one attempt");
	is($d->{status}, ($want->{code} || 0) =~ /^2/ && !$want->{error}
		? 'delivered' : 'failed', "$name - status");

	if (($want->{error} || '') ne 'timeout') {
		same($a->{code}, $want->{code}, "$name - code");
	}

	same($a->{error}, $want->{error}, "$name - error");

	if ($want->{error}) {
		ok($a->{message}, "$name - a sentence");
		unlike($a->{message}, qr/s3cret|pa55|t0k/,
			"$name - without secrets");
	}

	for my $key (grep { exists $want->{$_} } qw/ message peer /) {
		same($a->{$key}, $want->{$key}, "$name - $key");
	}

	for my $key (grep { exists $want->{$_} } qw/ body size /) {
		same($response->{$key}, $want->{$key}, "$name - $key");
	}

	if (exists $want->{truncated}) {
		is(!!$response->{truncated}, !!$want->{truncated},
			"$name - truncated");
	}

	if (exists $want->{headers}) {
		is_deeply($response->{headers}, $want->{headers},
			"$name - headers");
	}
}

# newer libcurl takes it

like(join(' ', map { defined $_ ? $_ : '-' } @{ ended('folded-first')
	->{attempts}[0] }{qw/ code error message /}),
	qr/^(200 - -|- protocol the answer is not HTTP)$/,
	'folded-first - answer');

# what is kept of a large body, and where reading stops

my $large = ended('large')->{response};

cmp_ok($large->{size}, '>', 4096 + 65536, 'large - read beyond what is kept');
cmp_ok($large->{size}, '<', 4096 + 2 * 65536, 'large - no more than needed');

# phases, of one that made its connection

my ($phases) = grep { defined $_->{connect} && defined $_->{first_byte} }
	map { ended($_)->{attempts}[0]{phases} } sort keys %cases;

ok(defined $phases->{$_}, "phases - $_") for qw/ connect first_byte total /;
ok(!defined $phases->{tls}, 'phases - no TLS');

$phases = ended('port')->{attempts}[0]{phases};

ok(!defined $phases->{first_byte}, 'phases - no answer');

$phases = ended('hang')->{attempts}[0]{phases};

cmp_ok($phases->{total}, '>=', 290, 'phases - all of the timeout');

# the request

my ($q) = $r->requests('/ok');

is($q->method, 'POST', 'request - method');
is($q->header('Host'), '127.0.0.1:' . $r->port, 'request - Host');
is($q->header('Content-Type'), 'application/json', 'request - Content-Type');
is($q->header('Content-Length'), length $q->body, 'request - Content-Length');
is($q->header($_), undef, "request - no $_")
	for qw/ Accept Accept-Encoding Expect /;

($q) = grep { $_->path =~ m!^/user! } $r->requests();
is($q->header('Authorization'), 'Basic ' . encode_base64('me:pa55', ''), 'request - userinfo');

($q) = grep { $_->path =~ /proxy/ } $proxy->requests();
is($q->header('Host'), 'nosuch.invalid', 'proxy - Host of the endpoint');

is($r->requests('/ok'), 1, 'redirect - not followed');
unlike($t->error_log(), qr/s3cret|pa55|t0k/, 'log - no secret');

kill 'KILL', $endless;
waitpid $endless, 0;

$t->done();

###############################################################################

sub ended {
	my ($hook) = @_;
	my $d;

	wait_for {
		($d) = @{ $t->get("/status/deliveries?hook=$hook")
			->json->{deliveries} };
		return $d && $d->{status} !~ /waiting|sending/;
	};

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

# an address of this machine that is nothing without its zone, as a URL has it

sub zone {
	for (split /\n/, read_file('/proc/net/if_inet6')) {
		my ($address, undef, undef, $scope, $flags, $name) = split;

		next if $scope ne '20' || hex($flags) & 0x48;

		return join(':', $address =~ /..../g) . "%25$name";
	}
}

# a chunk, and an extension of the next one that has no end; the pid

sub endless {
	my $listen = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1', LocalPort => $t->port('endless'),
		Listen => 1, ReuseAddr => 1
	)
		or die "listen: $!\n";

	my $pid = fork();
	die "fork: $!\n" unless defined $pid;

	return $pid if $pid;

	$SIG{PIPE} = 'DEFAULT';

	my $s = $listen->accept();
	sysread $s, my $request, 65536;
	syswrite $s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		. "5\r\nhello\r\n5;";
	1 while syswrite $s, 'x' x 65536;

	POSIX::_exit(0);
}

sub same {
	my ($got, $want, $name) = @_;

	ref $want eq 'Regexp' ? like($got, $want, $name)
		: is($got, $want, $name);
}

###############################################################################
