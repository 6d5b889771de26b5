#!/usr/bin/perl

# HTTP/2 from nginx to what is behind it, which newer ones have: receivers by
# "via", and APIs whose answers are read.  Each ends as it does by HTTP/1.1.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();

plan(skip_all => 'no HTTP/2 to upstreams')
	unless ($t->test_config('proxy_http_version 2;'))[0];

# "old" speaks HTTP/1.1 alone, which some versions log as critical

$t->allow(qr/alert no application protocol.* webhook: "old"/);

my $cert = $t->cert('peer');

sub sized {
	my ($id, $size) = @_;

	return sprintf '{"id":"%s","status":"running","x":"%s"}', $id,
		join '', map { chr(97 + ($_ * 7919) % 26) } 1 .. $size;
}

my $hints = '</x>; rel=preload';

# name => [ behaviour, code, error class of a delivery ]

my %cases = (
	ok => [ { body => sized('ok', 10), headers => { 'X-A' => 'b' } }, 200 ],
	length => [ { body => 'thanks', headers => { 'Content-Length' => 6 } },
		200 ],
	empty => [ { status => 204 }, 204 ],
	nothing => [ { body => '' }, 200 ],
	bad => [ { status => 502, body => 'mine' }, 502 ],
	moved => [ { status => 302, headers => { Location => '/x' } }, 302 ],
	accel => [ { body => 'x', headers => {
		'X-Accel-Redirect' => '/internal.txt' } }, 200 ],
	hints => [ { body => sized('hints', 10), hints => $hints }, 200 ],
	'hints-empty' => [ { status => 204, hints => $hints }, 204 ],
	'hints-cut' => [ { hints => $hints, truncate => 0, then => 'reset' },
		undef, qr/^(?:reset|protocol)$/ ],
	trailers => [ { body => sized('trailers', 1000),
		trailers => { 'X-Sum' => 'abc' } }, 200 ],
	large => [ { body => sized('large', 100_000) }, 200 ],
	huge => [ { size => 8_000_000 }, 200 ],
	headers => [ { body => 'x', headers => { map { ("X-$_" => 'v' x 500) }
		1 .. 20 } }, 200 ],
	refused => [ { drop => 'close' }, undef, qr/^(?:reset|protocol)$/ ],
	hang => [ { drop => 'hang' }, undef, qr/^timeout$/ ],
	short => [ { size => 5000, truncate => 100, then => 'keep',
		headers => { 'Content-Length' => 5000 } }, 200, qr/^broken$/ ],
	reset => [ { size => 5000, truncate => 100, then => 'reset',
		headers => { 'Content-Length' => 5000 } }, 200, qr/^broken$/ ],
	'reset-open' => [ { size => 5000, truncate => 100, then => 'reset' },
		200, qr/^broken$/ ],
	'closed-open' => [ { size => 5000, truncate => 100, then => 'close' },
		200, qr/^broken$/ ],
	stuck => [ { size => 5000, truncate => 100, then => 'hang' }, 200,
		qr/^timeout$/ ],
	closed => [ { truncate => 0, then => 'close' }, undef, qr/^reset$/ ],
);

my $r = $t->receiver('r', tls => $cert, http2 => 1);
my $old = $t->receiver('old', tls => $cert);
my $plain = $t->receiver('plain', rules => { '/hints' => {
	raw => "HTTP/1.1 103 Early Hints\r\nLink: $hints\r\n\r\n"
	. "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" } });
my $up = $t->upstream('up', tls => $cert, http2 => 1);
my $ci = $t->receiver('ci');

$r->set("/$_" => $cases{$_}[0]) for keys %cases;
$up->set("/$_" => $cases{$_}[0]) for keys %cases;

$t->file('html/internal.txt', 'not for receivers');

my $hooks = join '', map { "webhook $_ { url https://localhost:%%PORT_r%%/$_;"
	. ' via @r; timeout 2s; }' . "\n" } sort keys %cases;

# the shipped file, but the version and the authority

my $via = read_file(repo('conf/webhook/via.conf'));
$via =~ s/^(proxy_ssl_trusted_certificate\s+)\S+;/$1$cert->{ca};/m;
$via =~ s/^(proxy_http_version\s+)1.1;/${1}2;/m;
$t->file('via.conf', $via);

my $servers = '';

for my $n (1, 2) {
	my $observe = $n == 1 ? 'webhook_observe test;' : '';

	$servers .= <<"EOF";

server {
    listen 127.0.0.1:%%PORT_$n%%;
    server_name localhost;
    $observe

    early_hints 1;
    proxy_http_version 2;
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_trusted_certificate $cert->{ca};
    proxy_read_timeout 500ms;
    proxy_pass_trailers on;
    proxy_buffer_size 16k;
    proxy_buffers 8 4k;
    proxy_busy_buffers_size 16k;

    location / {
        proxy_pass https://up;
    }

    location /unbuffered/ {
        proxy_buffering off;
        proxy_pass https://up/;
    }

    location /1.1/ {
        proxy_http_version 1.1;
        proxy_pass https://127.0.0.1:%%PORT_up%%/;
    }
}

EOF
}

$t->http_config(<<"EOF");

webhook_defaults { retry off; }

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      FINISHED done;
    route * /* { }
}

upstream r {
    server 127.0.0.1:%%PORT_r%%;
    keepalive 4;
}

upstream up {
    server 127.0.0.1:%%PORT_up%%;
    keepalive 4;
}

webhook ci { url %%URL_ci%%/; }

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    root %%TESTDIR%%/html;

    $hooks

    webhook old {
        url https://localhost:%%PORT_old%%/;
        via \@old;
        timeout 2s;
    }

    webhook plain {
        url %%URL_plain%%/hints;
        via \@plain;
    }

    location \@plain {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_plain%%;
    }

    location \@r {
        include %%TESTDIR%%/via.conf;
        proxy_pass https://r;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
    }

    location \@old {
        include %%TESTDIR%%/via.conf;
        proxy_pass https://127.0.0.1:%%PORT_old%%;
    }

    location = /internal.txt {
        internal;
    }

    location /status/ {
        webhook_status write=on;
    }
}

$servers

EOF

$t->run();

###############################################################################

# deliveries

for my $name (sort keys %cases) {
	my (undef, $code, $class) = @{ $cases{$name} };
	my $d = ended($name);
	my $attempt = $d->{attempts}[0];

	is(@{ $d->{attempts} }, 1, "$name - one attempt");
	is($attempt->{code}, $code, "$name - code");
	is($d->{status}, $code && !$class && $code < 300 ? 'delivered'
		: 'failed', "$name - status");

	if ($class) {
		like($attempt->{error}, $class, "$name - error");

	} else {
		is($attempt->{error}, undef, "$name - error");
	}

	unlike($d->{response}{body} // '', qr/not for receivers/,
		"$name - no file of ours");
}

is(ended('ok')->{response}{headers}{'x-a'}, 'b', 'response header');
is(ended('length')->{response}{body}, 'thanks', 'response body');
is(ended('trailers')->{response}{size}, length sized('trailers', 1000),
	'response body before trailers');

my ($post) = $r->requests('/ok');

is($post->method, 'POST', 'method');
is($post->header(':authority') || $post->header('Host'),
	'localhost:' . $r->port, 'authority');
is($post->header('Content-Length'), length $post->body, 'content length');
is($post->json->{type}, 'PING', 'payload');
is($post->header('Webhook-Id'), ended('ok')->{uuid}, 'id');

is(ended('old')->{attempts}[0]{code}, undef, 'one without HTTP/2 - no answer');
is(ended('old')->{status}, 'failed', 'one without HTTP/2 - failed');

is(ended('plain')->{attempts}[0]{code}, 200, 'hints by HTTP/1.1 - code');
is(ended('plain')->{response}{body}, 'ok', 'hints by HTTP/1.1 - body');

# many by few connections

$r->reset_stats();

my @pings = map {
	$t->post('/status/hooks/ok/ping', '',
		headers => [ 'X-Webhook-Write' => 1 ])->json->{uuid}
} 1 .. 30;

for my $uuid (@pings) {
	ok(wait_for {
		$t->get("/status/deliveries/$uuid")->json->{status}
			eq 'delivered'
	}, 'delivered');
}

cmp_ok($r->stats()->{connections}, '<', 20, 'connections are used again');

###############################################################################

# answers that are read, byte by byte as they are where none is; what was on
# its way when an upstream broke off is a matter of time

for my $where ('', '/unbuffered', '/1.1') {
	for my $name (sort keys %cases) {
		next if $name =~ /^(?:reset|closed|stuck|hints-cut)/;

		my $uri = "$where/$name";

		ok(bytes($uri, 1) eq bytes($uri, 2), "$uri, the same bytes");
	}
}

like(bytes('/hints', 1), qr!^HTTP/1.1 103 .*\r\n\r\nHTTP/1.1 200 !s,
	'early hints');
like(bytes('/trailers', 1), qr/"\}x-sum: abc\r\n\r\n$/, 'trailers');

for my $name (qw/ ok hints trailers large /) {
	my ($event) = $ci->wait_request(sub {
		($_[0]->json->{execution}{id} || '') eq $name });

	is($event && $event->json->{event}, 'STARTED', "$name - an event");
}

$t->done();

###############################################################################

# what came, but the date and where chunks end

sub bytes {
	my ($uri, $port) = @_;

	my $c = $t->connect($port);

	$c->send_request('GET', $uri, close => 1,
		headers => [ TE => 'trailers' ]);
	1 while $c->fill();

	(my $bytes = $c->{in}) =~ s/^date: .*?\r\n//img;

	$bytes =~ s/\r\n[0-9a-f]+\r\n//g
		if $bytes =~ /^transfer-encoding: chunked\r$/im;

	return $bytes;
}

sub ended {
	my ($hook) = @_;
	my $d;

	wait_for {
		($d) = grep { $_->{status} !~ /waiting|sending/ }
			reverse @{ $t->get("/status/deliveries?hook=$hook")
			->json->{deliveries} };
		return $d;
	};

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

###############################################################################
