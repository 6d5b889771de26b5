#!/usr/bin/perl

# Deliveries through named locations: whatever the location or the receiver
# does, the attempt ends once, with a result, and no location but the one that
# "via" names is entered.

###############################################################################

use warnings;
use strict;

use IO::Socket::INET;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $blackhole = $t->blackhole();

# connecting hangs, until it is closed, and is refused then

my ($closing, @filling) = listener();
my $connecting = connecting();

my %behaviour = (
	ok => { status => 200, body => 'thanks', headers => { 'X-A' => 'b' } },
	empty => { status => 204 },
	long => { status => 204 },
	bad => { status => 502, body => 'mine', headers => { 'X-A' => 'b' } },
	accel => { status => 200, body => 'x',
		headers => { 'X-Accel-Redirect' => '/internal.txt' } },
	named => { status => 200, body => 'x',
		headers => { 'X-Accel-Redirect' => '@files' } },
	short => { status => 200, size => 5000, truncate => 100,
		then => 'close' },
	chunks => { status => 200, size => 5000, chunked => 1000,
		truncate => 1500, then => 'close' },
	chunk => { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		. "zzzz\r\nabc\r\n", then => 'keep' },
	reset => { drop => 'reset' },
	garbage => { raw => "no http at all\n\n", then => 'close' },
	half => { raw => "HTTP/1.1 2", then => 'close' },
	head => { raw => "HTTP/1.1 200 OK\r\nX-A: b\r\n", then => 'close' },
	wait => { raw => "HTTP/1.1 200 OK\r\nX-A: b\r\n", then => 'hang' },
	colon => { raw => "HTTP/1.1 200 OK\r\nno colon\r\n"
		. "Content-Length: 0\r\n\r\n" },
	headers => { status => 200, headers => { 'X-A' => 'b' x 30000 } },
	hang => { drop => 'hang' },
	drip => { status => 200, size => 100000, piece => 1, gap => 20 },
	huge => { status => 200, size => 8000000 },
	big => { status => 200, size => 60000 },
	moved => { status => 302, headers => { Location => '/elsewhere' } },
);

my $long = 'X-A-Name-Of-More-Than-Thirty-Two-Characters';

# name => [ extra directives in its location, code, error class, behaviour
#	other than that of its name, settings of the webhook ]

my %via = (
	ok => [ '', 200 ],
	empty => [ '', 204 ],
	bad => [ '', 502 ],
	accel => [ 'proxy_ignore_headers Expires;', 200 ],
	named => [ 'proxy_ignore_headers Expires;', 200 ],
	accel_kept => [ '', 200, undef, 'accel' ],
	short => [ '', 200, 'broken' ],
	chunks => [ '', 200, 'broken' ],
	chunk => [ '', 200, 'broken' ],
	reset => [ '', undef, 'reset' ],
	garbage => [ '', undef, 'protocol' ],
	half => [ '', undef, 'reset' ],
	head => [ '', undef, 'reset' ],
	wait => [ '', undef, 'timeout' ],
	'wait-read' => [ 'proxy_read_timeout 200ms;', undef, 'timeout', 'wait' ],
	colon => [ '', undef, 'protocol' ],
	headers => [ '', 200 ],
	hang => [ '', undef, 'timeout' ],
	read => [ 'proxy_read_timeout 200ms;', undef, 'timeout', 'hang' ],
	drip => [ '', 200, 'timeout' ],
	huge => [ '', 200 ],
	big => [ '', 200 ],
	moved => [ '', 302 ],
	unbuffered => [ 'proxy_buffering off;', 200, undef, 'big' ],
	unshort => [ 'proxy_buffering off;', 200, 'broken', 'short' ],
	threads => [ 'aio threads; aio_write on; proxy_buffers 4 4k;'
		. 'proxy_buffer_size 4k; proxy_busy_buffers_size 8k;', 200,
		undef, 'big' ],
	limited => [ 'limit_req zone=r burst=1000; limit_conn c 1000;', 200,
		undef, 'ok' ],
	substituted => [ 'sub_filter thanks no; sub_filter_types *;', 200,
		undef, 'ok' ],
	guarded => [ 'auth_request /internal.txt; deny all;', 200, undef,
		'ok' ],
	intercepted => [ 'error_page 502 /e.html;', 502, undef, 'bad' ],
	variables => [ 'log_subrequest on;'
		. 'access_log %%TESTDIR%%/via.log via;', 200, undef, 'ok' ],
	bracket => [ 'log_subrequest on;'
		. 'access_log %%TESTDIR%%/via.log via;', 204, undef, 'empty',
		'url http://[::1]/empty;' ],
	'bracket-port' => [ 'log_subrequest on;'
		. 'access_log %%TESTDIR%%/via.log via;', 204, undef, 'empty',
		'url http://[::1]:81/empty;' ],
	dot => [ 'log_subrequest on;'
		. 'access_log %%TESTDIR%%/via.log via;', 204, undef, 'empty',
		'url http://Receiver.Test.:81/empty;' ],
	named_header => [ '', 204, undef, 'long',
		"url http://receiver.test/long; header $long v;" ],
	held => [ '', 204, undef, undef,
		'url http://receiver.test/held; retry 1ms 1ms;' ],
);

# locations that do not proxy

my %other = (
	closed => [ 'return 444;', undef, 'protocol' ],
	said => [ 'return 200 done;', 200 ],
	busy => [ 'return 503;', 503 ],
	nothing => [ 'return 204;', 204 ],
	refused => [ 'proxy_pass http://127.0.0.1:%%PORT_9%%;', undef,
		'connect' ],
	paged => [ 'proxy_pass http://127.0.0.1:%%PORT_9%%;'
		. 'error_page 502 /e.html;', undef, 'connect' ],
	fallen => [ 'proxy_pass http://127.0.0.1:%%PORT_9%%;'
		. 'error_page 502 = @said;', undef, 'connect' ],
	black => [ 'include %%CONF%%/webhook/via.conf;'
		. "proxy_pass http://127.0.0.1:$blackhole;", undef,
		'timeout' ],
	down => [ 'proxy_pass https://down;', undef, 'connect' ],
	late => [ 'include %%CONF%%/webhook/via.conf;'
		. 'proxy_pass http://127.0.0.1:' . $closing->sockport() . ';',
		undef, 'connect' ],
	rewritten => [ 'rewrite ^ /internal.txt last;', 403 ],
	branched => [ 'if ($request_method = POST) { return 418; }', 418 ],
);

my $r = $t->receiver('r', rules => {
	(map { $_ => [ $behaviour{substr($_, 1)} ] }
	map { "/$_" } keys %behaviour),
	'/full' => { drop => 'hang' },
	'/held' => [ { status => 503, headers => { 'Retry-After' => 1 } },
		{ status => 204 } ],
});

$t->port(9);
$t->file('html/internal.txt', 'not for receivers');

my ($hooks, $locations) = ('', '');

for my $name (sort keys %via) {
	my ($more, undef, undef, $path, $settings) = @{ $via{$name} };
	$path ||= $name;
	$settings ||= "url http://receiver.test/$path?a=b%20c; retry off;";

	$locations .= "location \@$name {"
		. 'include %%CONF%%/webhook/via.conf;' . $more
		. 'proxy_pass http://r; }' . "\n";
	$hooks .= "webhook $name { $settings via \@$name; timeout 2s; "
		. "secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw; }\n";
}

$locations .= "location \@full { proxy_pass http://full; }\n";
$hooks .= "webhook full { url http://receiver.test/full; via \@full; "
	. "retry off; timeout 5s; }\n";

# via.conf's own line stands against a location that obeys X-Accel-*

$locations =~ s!include \S+via.conf;(proxy_ignore_headers)!$1!g;

for my $name (sort keys %other) {
	$locations .= "location \@$name { $other{$name}[0] }\n";
	$hooks .= "webhook $name { url http://receiver.test/; via \@$name; "
		. 'retry off; timeout ' . ($name =~ /^(?:black|late)$/ ? 20 : 2) . "s; }\n";
}

$t->http_config(<<"EOF");

limit_req_zone \$binary_remote_addr zone=r:1m rate=100r/s;
limit_conn_zone \$binary_remote_addr zone=c:1m;

log_format via '\$webhook_name \$webhook_delivery \$webhook_attempt '
               '\$webhook_event \$remote_addr \$host \$request_uri';

upstream r {
    server %%HOST_r%%;
    keepalive 4;
}

upstream down {
    server %%HOST_r%% down;
}

upstream full {
    zone full 64k;
    server %%HOST_r%% max_conns=1;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    root %%TESTDIR%%/html;

    # as many servers have it: no delivery may meet it
    if (\$request_uri ~ "^/(ok|bad)") {
        return 301 https://\$host/;
    }

    $hooks

    $locations

    location \@files {
        try_files /internal.txt =404;
    }

    location = /internal.txt {
        internal;
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

ok(wait_for { connecting() > $connecting }, 'late - connecting');
close $_ for $closing, @filling;

###############################################################################

# one more than a server may have

ok($r->wait_requests(1, 10, '/full'), 'full - it has what it may have');

my $full = $t->post('/status/hooks/full/ping', '',
	headers => [ 'X-Webhook-Write' => 1 ])->json->{uuid};

ok(wait_for { $t->get("/status/deliveries/$full")->json->{status} eq 'failed' },
	'full - failed');

$full = $t->get("/status/deliveries/$full")->json;

my %log;

my $ended = wait_for {
	%log = map { ($_->{hook} => $_) } map { @{ $_->{deliveries} } } pages();
	return keys %log == keys(%via) + keys(%other) + 1
		&& !grep { $_->{status} =~ /waiting|sending/ } values %log;
} 40;

ok($ended, 'all attempts ended');

for my $name (sort(keys %via, keys %other)) {
	my (undef, $code, $class) = @{ $via{$name} || $other{$name} };

	my $d = $t->get("/status/deliveries/$log{$name}{uuid}")->json;
	my $attempt = $d->{attempts}[-1];

	is(@{ $d->{attempts} }, $name eq 'held' ? 2 : 1, "$name - attempts");
	is($attempt->{code}, $code, "$name - code");
	is($attempt->{error}, $class, "$name - error");
	is($d->{status}, $code && !$class && $code < 300 ? 'delivered'
		: 'failed', "$name - status");

	unlike($d->{response}{body} // '', qr/not for receivers/,
		"$name - no file of ours");
}

is(message($_), 'the answer broke off within its headers', "$_ - a sentence")
	for qw/ half head /;
is(message('colon'), 'the answer is not HTTP', 'colon - a sentence');
like(message('down'), qr/^no server of the upstream can be used: .*max_conns/,
	'down - a sentence');
is($full->{attempts}[0]{error}, 'connect', 'full - error');
is($full->{attempts}[0]{message}, message('down'), 'full - a sentence');

my $black = $t->get("/status/deliveries/$log{black}{uuid}")->json;
cmp_ok($black->{attempts}[0]{phases}{total}, '<', 10000,
	'black - connecting gets 5 s');

my $ok = $t->get("/status/deliveries/$log{ok}{uuid}")->json;

is($ok->{response}{body}, 'thanks', 'response body');
is($ok->{response}{headers}{'X-A'}, 'b', 'response header');
like($ok->{attempts}[0]{peer}, qr/^127\.0\.0\.1:\d+$/, 'peer');

my ($post) = grep { $_->path eq '/ok' } $r->requests;

is($post->method, 'POST', 'method');
is($post->target, '/ok?a=b%20c', 'path and query as in url');
is($post->header('Host'), 'receiver.test', 'host');
is($post->header('Connection'), undef, 'kept alive');
is($post->header('Content-Type'), 'application/json', 'content type');
is($post->json->{type}, 'PING', 'payload');

my $line = read_file($t->dir . '/via.log');
like($line, qr/^variables [0-9a-f-]{36} 1 PING 127\.0\.0\.1 receiver\.test/m,
	'variables, host');
like($line, qr/$log{variables}{uuid}/, 'variable - delivery');
like($line, qr/^$_ \S+ 1 PING 127\.0\.0\.1 \[::1\] /m, "$_ - host")
	for qw/ bracket bracket-port /;
like($line, qr/^dot \S+ 1 PING 127\.0\.0\.1 receiver\.test \//m, 'dot - host');

($post) = grep { $_->path eq '/long' } $r->requests;

is($post->header($long), 'v', 'a header with a long name');

my ($first, $second) = map { $_->time } $r->requests('/held');

cmp_ok($second - $first, '>=', 0.98, 'held - as long as it was told');

$t->done();

###############################################################################

sub listener {
	my $listen = IO::Socket::INET->new(Proto => 'tcp',
		LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!\n";

	return $listen, map {
		IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
			PeerAddr => '127.0.0.1', PeerPort => $listen->sockport())
	} 1 .. 4;
}

# how many are connecting to it

sub connecting {
	my $port = sprintf '%04X', $closing->sockport();

	return scalar grep { / 0100007F:$port 02 / }
		split /\n/, read_file('/proc/net/tcp');
}

sub message {
	my ($name) = @_;

	return $t->get("/status/deliveries/$log{$name}{uuid}")
		->json->{attempts}[0]{message};
}

sub pages {
	my ($after, @pages) = ('');

	do {
		my $page = $t->get("/status/deliveries?limit=100$after")->json;
		push @pages, $page;
		$after = $page->{next} ? "&after=$page->{next}" : '';
	} while ($after);

	return @pages;
}

###############################################################################
