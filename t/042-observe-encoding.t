#!/usr/bin/perl

# Accept-Encoding: what upstream sees where the response will be read, and what
# the client gets all the same.

###############################################################################

use warnings;
use strict;

use IO::Uncompress::Gunzip qw/ gunzip /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up', fallback => { body => 'x' x 100 });
my $cert = $t->cert('nginx');

$t->http_config(<<'EOF');

log_format events '$request_uri $status events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

server {
    listen 127.0.0.1:%%PORT_0%%;
    listen 127.0.0.1:%%PORT_ssl%% ssl http2;
    server_name localhost;

    ssl_certificate %%TESTDIR%%/certs/nginx.pem;
    ssl_certificate_key %%TESTDIR%%/certs/nginx.key;

    webhook_observe test;

    location / {
        proxy_pass %%URL_up%%;
    }

    location /off/ {
        webhook_observe off;
        proxy_pass %%URL_up%%;
    }

    location /gzip/ {
        proxy_pass %%URL_up%%;
        gzip on;
        gzip_min_length 1;
        gzip_types *;
    }

    location /own/ {
        proxy_pass %%URL_up%%;
        proxy_set_header Accept-Encoding "br";
    }

    location /rewritten/ {
        rewrite ^ /elsewhere break;
        proxy_pass %%URL_up%%;
    }

    location /redirected/ {
        error_page 418 = @up;
        return 418;
    }

    location /failing/ {
        proxy_pass %%URL_up%%;
        proxy_intercept_errors on;
        error_page 500 = @up;
    }

    location @up {
        proxy_pass %%URL_up%%;
    }
}

webhook_api test {
    id          /id;
    state       /status;
    states      STARTED running;

    route * /ignored/*          { ignore; }
    route * /when/* when=$arg_w { }
    route * ~^/(read|off|gzip|own|rewritten|redirected|failing)/ { }
}

EOF

$t->run();

###############################################################################

# all Accept-Encoding lines that upstream saw

sub seen {
	my ($uri, @values) = @_;

	$up->forget();
	$t->get($uri, headers => [ map { ('Accept-Encoding' => $_) } @values ]);

	my ($r) = $up->wait_requests(1);

	return join '|', $r->header('accept-encoding');
}

my @edits = (
	[ 'gzip', 'gzip' ],
	[ 'identity', 'identity' ],
	[ '', '' ],
	[ 'gzip, deflate, br', 'gzip' ],
	[ 'gzip, deflate, br, zstd', 'gzip' ],
	[ 'br', 'identity' ],
	[ '*', 'identity' ],
	[ '*;q=0', '*;q=0' ],
	[ 'gzip;q=1.0, *;q=0', 'gzip;q=1.0, *;q=0' ],
	[ 'gzip;q=1.0, *;q=0.1', 'gzip;q=1.0' ],
	[ 'br;q=1.0,gzip;q=0.8 ,  x-gzip,*;q=0.1', 'gzip;q=0.8, x-gzip' ],
	[ 'GZIP, Deflate', 'GZIP' ],
	[ 'gzipped', 'identity' ],
	[ ',,br,,', 'identity' ],
	[ 'identity;q=0, br', 'identity;q=0' ],
	[ 'gzip ; q=0.5 , br', 'gzip ; q=0.5' ],
);

is(seen('/read/1', $_->[0]), $_->[1], "\"$_->[0]\" becomes \"$_->[1]\"")
	for @edits;

is(seen('/read/1'), '', 'none');
is(seen('/read/1', 'gzip, br', 'deflate, gzip'), 'gzip|gzip', 'two lines');

my $all = 'gzip, deflate, br';

is(seen("/$_/1", $all), $all, "unchanged: $_")
	for qw/ off ignored when other /;
is(seen('/when/1?w=1', $all), 'gzip', 'a condition that holds');
is(seen('/own/1', $all), 'br', 'proxy_set_header has its way');
is(seen('/rewritten/1', $all), 'gzip', 'a rewritten path');
is(seen('/redirected/1', $all), 'gzip', 'a redirected request');

$up->set('/failing/1' => [ { status => 500 }, { body => 'x' } ]);
$up->forget();
$t->get('/failing/1', headers => [ 'Accept-Encoding' => $all ]);
is(join('|', map { $_->header('accept-encoding') } $up->wait_requests(2)),
	'gzip|gzip', 'both of two tries');

# the client's own compression goes by what the client sent

my $r = $t->get('/gzip/1', headers => [ 'Accept-Encoding' => $all ]);
is($r->header('content-encoding'), 'gzip', 'compressed for the client');
gunzip(\$r->body => \my $plain);
is($plain, 'x' x 100, 'the same text');

$r = $t->get('/gzip/1', headers => [ 'Accept-Encoding' => 'br' ]);
is($r->header('content-encoding'), undef, 'not compressed');
is($r->body, 'x' x 100, 'the same text');

$r = $t->curl('--cacert', $cert->{ca}, '--http2', '-H',
	"Accept-Encoding: $all", 'https://localhost:' . $t->port('ssl')
	. '/gzip/2');
is($r->header('content-encoding'), 'gzip', 'HTTP/2, compressed');
is(($up->requests('/gzip/2'))[0]->header('accept-encoding'), 'gzip',
	'HTTP/2, upstream');

# an answer that upstream itself compresses

$up->set('/read/gz' => { gzip => 1, json => { id => 1, status => 'running' } });
$r = $t->get('/read/gz', headers => [ 'Accept-Encoding' => $all ]);
is($r->header('content-encoding'), 'gzip', 'as upstream sent it');
like($t->access_log(), qr!^/read/gz 200 events=1$!m, 'and read')
	if wait_for { $t->access_log() =~ m!/read/gz! };

$t->done();

###############################################################################
