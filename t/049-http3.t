#!/usr/bin/perl

# Clients by HTTP/3: what they get where responses are read is what they get
# where they are not, and what they launch and poll makes events.  Needs an
# nginx and a curl that know HTTP/3, which Debian has since 13.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();

plan(skip_all => 'no curl with HTTP/3') unless `curl -V` =~ /\bHTTP3\b/;

plan(skip_all => 'no nginx with HTTP/3')
	unless ($t->test_config('http3_max_concurrent_streams 16;'))[0];

my $cert = $t->cert('nginx');
my $up = $t->upstream('up');
my $ci = $t->receiver('ci');
my $dir = $t->dir();

my $http = <<"EOF";

log_format events '\$server_protocol \$server_port \$request_uri \$status '
                  'events=\$webhook_events';
access_log %%TESTDIR%%/access.log events;

ssl_certificate $cert->{cert};
ssl_certificate_key $cert->{key};
ssl_protocols TLSv1.3;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
proxy_cache_key \$server_port\$request_uri;

EOF

# the same server: not observed; observed, with the built-in transport and via

my @observed = ('', <<'EOF', <<'EOF');

    webhook_observe test realm=built-in;
    webhook ci { url %%URL_ci%%/built-in; }

EOF

    webhook_observe test realm=via;
    webhook via { url %%URL_ci%%/via; via @ci; }

    location @ci {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_ci%%;
    }

EOF

for my $n (0 .. 2) {
	$http .= <<EOF;

server {
    listen 127.0.0.1:%%PORT_$n%% quic reuseport;
    listen 127.0.0.1:%%PORT_ssl$n%% ssl;
    server_name localhost;

    $observed[$n]

    proxy_http_version 1.1;
    proxy_ignore_client_abort on;
    client_max_body_size 0;

    location / {
        proxy_pass %%URL_up%%;
    }

    location /unbuffered/ {
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_pass %%URL_up%%/;
    }

    location /small/ {
        proxy_pass %%URL_up%%/;
        proxy_buffers 4 1k;
        proxy_buffer_size 1k;
        proxy_busy_buffers_size 2k;
        output_buffers 1 1k;
    }

    location /cached/ {
        proxy_pass %%URL_up%%/;
        proxy_cache cache;
        proxy_cache_valid any 1h;
    }

    location /gzip/ {
        proxy_pass %%URL_up%%/;
        gzip on;
        gzip_types *;
    }

    location /other/ {
        error_page 418 = \@other;
        return 418;
    }

    location \@other {
        rewrite ^/\\w+(/.*)\$ \$1 break;
        proxy_pass %%URL_up%%;
    }
}

EOF
}

$t->http_config(<<"EOF");

$http

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      LAUNCHED queued;
    states      STARTED running;
    states      FINISHED done;

    route POST ~/launch/ { launch; goal.method \$request_method;
        goal.body \$request_body; }
    route * /* { }
}

server {
    listen 127.0.0.1:%%PORT_status%%;

    location / {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

sub sized {
	my ($id, $size, $status) = @_;

	return sprintf '{"id":"%s","status":"%s","x":"%s"}', $id,
		$status || 'running',
		join '', map { chr(97 + ($_ * 7919) % 26) } 1 .. $size;
}

my %documents = (
	little => { body => sized('little', 100) },
	large => { body => sized('large', 200_000) },
	over => { body => sized('over', 400_000) },
	huge => { size => 8_000_000 },
	chunked => { body => sized('chunked', 50_000), chunked => 1000 },
	zipped => { body => sized('zipped', 50_000), gzip => 1 },
	html => { body => '<html>' . sized('html', 50_000),
		headers => { 'Content-Type' => 'text/html' } },
	empty => { body => '' },
	none => { status => 204 },
	missing => { status => 404, body => sized('missing', 500) },
	moved => { status => 302, headers => { Location => '/' } },
	pieces => { body => sized('pieces', 20_000), piece => 5000, gap => 10 },
);

$up->set("/$_" => $documents{$_}) for keys %documents;

my @ca = ('-4', '--cacert', $cert->{ca}, '--http3-only');

sub ask {
	my ($port, $uri, @arguments) = @_;

	return $t->curl(@ca, @arguments, 'https://localhost:'
		. $t->port($port) . $uri);
}

sub comparable {
	my ($r) = @_;

	# after HEAD curl gives the header for a body

	(my $body = $r->body) =~ s/^date: .*?\r\n//im;

	return [ $r->{line}, $body, grep { !/^date:/i }
		map { lc($_->[0]) . ": $_->[1]" } $r->headers() ];
}

$t->file('sent', sized('body', 300_000));

my @requests = (
	[], [ '-I' ], [ '-r', '5-20' ], [ '--compressed' ],
	[ '-d', '{"a":1}' ],
	[ '-T', "$dir/sent" ],
);

for my $where ('', qw! /unbuffered /small /cached /gzip /other !) {
	for my $name (sort keys %documents) {
		for my $request (@requests[0, $where ? 3 : 1 .. 5]) {
			my @got = map { comparable(ask($_, "$where/$name",
				@$request)) } 0 .. 2;

			my $what = join ' ', "$where/$name", @$request;

			is($got[0][0] =~ /^HTTP\/3 / ? 'HTTP/3' : $got[0][0],
				'HTTP/3', "$what, by HTTP/3");
			ok(same(@got[1, 0]), "$what, built-in");
			ok(same(@got[2, 0]), "$what, via");
		}
	}
}

for my $path (qw! /built-in /via !) {
	for my $name (qw/ little large chunked zipped pieces /) {
		my ($event) = $ci->wait_request(event($path, $name, 'STARTED'));

		ok($event, "$path, $name was read");
	}

	ok(!(grep { $_->path eq $path && ($_->json->{execution}{id} || '')
		=~ /^(?:over|huge|html)$/ } $ci->requests()),
		"$path, nothing else was");
}

###############################################################################

# launches and polls, several in one connection

$up->set('POST /launch/a' => { status => 201,
	body => sized('a', 10, 'queued') });

for my $n (1, 2) {
	$up->set('/runs/a' => [ map { { body => sized('a', 10, $_) } }
		qw/ queued running running done / ]);

	my $at = 'https://localhost:' . $t->port($n);
	my @poll = ("$at/runs/a", '-o', "$dir/out");

	my ($failed, $said) = $t->output('curl', '-sS', @ca, '-d', 'a=b',
		"$at/launch/a", '-o', "$dir/out",
		map { ('--next', '-sS', @ca, @poll) } 1 .. 4);

	is($failed, 0, 'launched and polled') or diag($said);

	my $path = $n == 1 ? '/built-in' : '/via';

	for my $event (qw/ LAUNCHED STARTED FINISHED /) {
		my ($got) = $ci->wait_request(event($path, 'a', $event));

		ok($got, "$path, $event");

		is_deeply($got && $got->json->{goal}, { method => 'POST',
			body => 'a=b' }, "$path, of the request")
			if $event eq 'LAUNCHED';
	}
}

###############################################################################

# a client that closes its connection: nginx gives the request up, whatever
# proxy_ignore_client_abort says, and that is not passed over in silence

$up->set('POST /launch/b' => { hold => 1, status => 201,
	body => sized('b', 10, 'queued') });

my ($status) = $t->output('curl', '-sS', @ca, '--max-time', '0.5',
	'-d', 'a=b', 'https://localhost:' . $t->port(1) . '/launch/b');

isnt($status, 0, 'the client has left');

my $observed;

ok(wait_for {
	$observed = $t->get('/observed?reason=aborted', port => 'status')
		->json->{observed};
	return @$observed;
}, 'a client that left - seen');

is($observed->[0]{path}, '/launch/b', 'a client that left - path');
$up->release();

# some of many leave, in the middle of an answer

$up->set('/drip' => { body => sized('drip', 100_000), piece => 1000,
	gap => 20 });

for my $where ('', '/unbuffered') {
	for my $n (0 .. 2) {
		($status) = $t->output('curl', '-sS', @ca, '--max-time',
			'0.4', '-Z', '--parallel-immediate', map {
			("https://localhost:" . $t->port($n) . "$where/$_",
				'-o', "$dir/out") } qw/ drip little drip huge /);

		isnt($status, 0, "$where - left in the middle");
		ok(same(comparable(ask($n, "$where/little")),
			comparable(ask(0, "$where/little"))),
			"$where - the next is served");
	}
}

is($t->get('/check', port => 'status',
	headers => [ 'X-Webhook-Write' => 1 ])->status, 200, 'zone');

$t->done();

###############################################################################

sub same {
	my ($a, $b) = @_;

	return JSON::PP->new->encode($a) eq JSON::PP->new->encode($b);
}

sub event {
	my ($path, $id, $event) = @_;

	return sub {
		my $json = $_[0]->json;

		return $_[0]->path eq $path && ($json->{event} || '') eq $event
			&& $json->{execution}{id} eq $id;
	};
}

###############################################################################
