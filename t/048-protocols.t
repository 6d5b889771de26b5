#!/usr/bin/perl

# What passes through an observed location and is no document, or comes to be
# in another way than by one proxied request: gRPC and WebSocket, by their own
# clients, also over a reload; subrequests, slices, stores and caches.  All of
# it is what it is in a location that is not observed.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $ci = $t->receiver('ci');
my $dir = $t->dir();

write_file("$dir/html/$_.txt", "$_\n") for qw/ before after /;

my $http = <<'EOF';

log_format events '$request_uri $status events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
proxy_cache_key $server_port$request_uri;

EOF

# the same server: not observed; observed, with the built-in transport and via

my @observed = ('', <<'EOF', <<'EOF');

    webhook_observe test realm=built-in;
    webhook ci { url %%URL_ci%%/built-in; }
    webhook dead { url http://127.0.0.1:1/; }

EOF

    webhook_observe test realm=via;
    webhook via { url %%URL_ci%%/via; via @ci; }

    location @ci {
        proxy_pass %%URL_ci%%;
        proxy_ignore_headers X-Accel-Redirect;
    }

EOF

for my $n (0 .. 2) {
	mkdir "$dir/stored$n";

	$http .= <<EOF;

server {
    listen 127.0.0.1:%%PORT_$n%%;
    listen 127.0.0.1:%%PORT_h2$n%% http2;
    server_name localhost;

    $observed[$n]

    proxy_http_version 1.1;
    addition_types *;

    location /test.Jobs/ {
        grpc_pass 127.0.0.1:%%PORT_grpc%%;
    }

    location /ws/ {
        proxy_pass http://127.0.0.1:%%PORT_ws%%;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
    }

    location = /worker {
        return 200 \$pid;
    }

    location /plain/ {
        proxy_pass %%URL_up%%/;
    }

    location /slice/ {
        slice 1k;
        proxy_pass %%URL_up%%/;
        proxy_set_header Range \$slice_range;
    }

    location /ranges/ {
        proxy_pass %%URL_up%%/;
        proxy_force_ranges on;
    }

    location /store/ {
        proxy_pass %%URL_up%%/;
        proxy_store $dir/stored$n\$uri;
    }

    location /addition/ {
        proxy_pass %%URL_up%%/;
        add_before_body /before.txt;
        add_after_body /plain/chunked;
    }

    location /check/ {
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass %%URL_up%%/;
    }

    location /auth/ {
        auth_request /check/little;
        proxy_pass %%URL_up%%/;
    }

    location /denied/ {
        auth_request /check/forbidden;
        error_page 403 \@named;
        proxy_pass %%URL_up%%/;
    }

    location \@named {
        rewrite ^/\\w+(/.*)\$ \$1 break;
        proxy_pass %%URL_up%%;
    }

    location /mirror/ {
        mirror /plain/little;
        proxy_pass %%URL_up%%/;
    }

    location /mirror-dead/ {
        mirror /dead;
        proxy_pass %%URL_up%%/;
    }

    location = /dead {
        proxy_pass http://127.0.0.1:1;
    }

    location /streamed/ {
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_pass %%URL_up%%/;
    }
}

EOF
}

$http .= <<'EOF';

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      STARTED running;
    states      FINISHED done;

    route GET ~^/ws/ status=200,409 { }
    route GET,POST,PUT ~. { }
}

EOF

$t->http_config($http);
$t->run();

###############################################################################

# gRPC and WebSocket

my ($status, $said) = $t->output('node', repo('t/node/protocols.js'),
	JSON::PP->new->canonical->encode({
		grpc => $t->port('grpc') + 0, ws => $t->port('ws') + 0,
		pid => $t->master_pid() + 0,
		ports => [ map { {
			h1 => $t->port($_) + 0, h2 => $t->port("h2$_") + 0
		} } 0 .. 2 ],
	}));

is($status, 0, 'gRPC and WebSocket clients ran') or diag($said);

my @said = $status == 0 ? @{ json($said) } : ({}, {}, {});

for my $name (sort keys %{ $said[0] }) {
	is_deeply($said[1]{$name}, $said[0]{$name}, "$name, built-in");
	is_deeply($said[2]{$name}, $said[0]{$name}, "$name, via");
}

# they did what they were to do

is_deeply([ @{ $said[1]{small} }{qw/ code first last bin /} ],
	[ 0, 'a', 'b', '000aff' ], 'headers and trailers');
is($said[1]{error}{code}, 5, 'an error');
is($said[1]{down}{messages}, 50, 'a stream');
is($said[1]{both}{messages}, 20, 'in both directions');
is($said[1]{cancel}{code}, 1, 'cancelled');
is($said[1]{deadline}{code}, 4, 'deadline exceeded');
is($said[1]{echo}{code}, 1000, 'closed by the client');
is($said[1]{closed}{code}, 4001, 'closed by the upstream');
is($said[1]{broken}{code}, 1006, 'broken');
is($said[1]{refused}{status}, 409, 'refused');
is($said[1]{reload}{call}{messages}, 2, 'a stream over a reload');
is($said[1]{reload}{socket}{code}, 1000, 'a WebSocket over a reload');

# of all that only the refusal's body is a document

for my $path (qw! /built-in /via !) {
	my ($event) = $ci->wait_request(sub {
		$_[0]->path eq $path && ($_[0]->json->{event} || '') eq 'STARTED'
	});

	is($event && $event->json->{execution}{id}, 'e1',
		"$path, the refusal was read");
}

is(scalar(grep { ($_->json->{event} || '') ne '' } $ci->requests()), 2,
	'nothing else was');

###############################################################################

# one request that becomes several

sub sized {
	my ($id, $size) = @_;

	return sprintf '{"id":"%s","status":"running","x":"%s"}', $id,
		join '', map { chr(97 + ($_ * 7919) % 26) } 1 .. $size;
}

my %documents = (
	little => { body => sized('little', 100) },
	large => { body => sized('large', 100_000) },
	chunked => { body => sized('chunked', 5000), chunked => 900 },
	html => { body => '<html>' . sized('html', 5000),
		headers => { 'Content-Type' => 'text/html' } },
	empty => { status => 204 },
	forbidden => { status => 403, body => sized('forbidden', 10) },
	cut => { body => sized('cut', 20_000), truncate => 9000,
		then => 'close' },
	part => { status => 206, body => substr(sized('part', 2000), 0, 1024),
		headers => { 'Content-Range' => 'bytes 0-1023/1024',
			ETag => '"a"' } },
);

$up->set("/$_" => $documents{$_}) for keys %documents;

sub comparable {
	my ($r) = @_;

	my @headers = grep { !/^date:/i }
		map { lc($_->[0]) . ": $_->[1]" } $r->headers();

	# a boundary is a number that counts

	s/boundary=\S+/boundary/ for @headers;
	(my $body = $r->body) =~ s/^--\d+/--/mg;

	return [ $r->status, $r->complete, $body, @headers ];
}

my @places = qw/ slice ranges store addition auth denied mirror mirror-dead
	streamed /;

my @requests = (
	[ 'GET' ], [ 'HEAD' ], [ 'PUT', body => '{"a":1}' ],
	[ 'GET', headers => [ Range => 'bytes=5-20' ] ],
	[ 'GET', headers => [ Range => 'bytes=0-1,9-12' ] ],
);

for my $where (@places) {
	for my $uri (map { "/$where/$_" } sort keys %documents) {
		for my $request (@requests) {
			my ($method, %o) = @$request;

			my @got = map { comparable($t->request($method, $uri,
				%o, port => $_)) } 0 .. 2;

			my $what = join ' ', $method, $uri,
				@{ $o{headers} || [] };

			is_deeply($got[1], $got[0], "$what, built-in");
			is_deeply($got[2], $got[0], "$what, via");
		}
	}
}

for my $name (qw/ little chunked /) {
	is(read_file("$dir/stored1/store/$name"), $documents{$name}{body},
		"$name was stored");
}

$t->done();

###############################################################################
