#!/usr/bin/perl

# One execution, seen in several places: by two locations, by many clients at
# once, in two installations, by two nginx machines, sent by either transport.
# Its events are made once, and have the same ids wherever they are made.

###############################################################################

use warnings;
use strict;

use List::Util qw/ uniq /;
use Test::More;

use WebhookTest;

###############################################################################

my $conf = <<'EOF';

webhook_api test {
    execution "";
    id /id;
    state /status;
    states LAUNCHED waiting;
    states STARTED running;
    states FINISHED done;
    updated /progress;
    route POST /* { launch; }
    route GET /* { }
}

webhook_defaults {
    events EXECUTION;
    secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
    signature virtuoso;
}

map $uri $blank {
    default " ";
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    webhook_observe test;
    webhook shared { url %%URL_r%%/shared; }

    location /a {
        webhook a { url %%URL_r%%/a; }
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
    }

    location /b {
        webhook b { url %%URL_r%%/b; }
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
    }

    location /crowd {
        webhook_inherit off;
        webhook crowd { url %%URL_r%%/crowd; }
        proxy_pass %%URL_up%%;
    }

    location /one {
        webhook_observe test realm=one;
        proxy_pass %%URL_up%%;
    }

    location /two {
        webhook_observe test realm=two;
        proxy_pass %%URL_up%%;
    }

    location /both {
        webhook_inherit off;

        webhook_defaults {
            header X-Trace "trace $http_x_trace";
            header X-Constant constant;
            header X-Empty $http_x_none;
            header X-Blank $blank;
            header X-Colon "a: b;";
            header Accept text/plain;
            header X-Led "${blank}led";
            header X-Semicolon "a;";
            header Webhook-Own own;
            header Authorization "Bearer t";
            header x-last 9;
        }

        webhook built_in { url "%%URL_r%%/both?a=b%20c"; }
        webhook via { url "%%URL_r%%/both?a=b%20c"; via @r; }

        proxy_pass %%URL_up%%;
    }

    location @r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }
}

EOF

my $t = WebhookTest->new(workers => 3);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config($conf);
$t->run();

###############################################################################

# one installation behind two locations

answer('/a' => 'x', 'waiting');
$t->see('POST', '/a');

answer('/b' => 'x', 'running');
$t->see('GET', '/b');
$t->see('GET', '/a?again');

answer('/a' => 'x', 'running');
$t->see('GET', '/a?running');

answer('/a' => 'x', 'done');
$t->see('GET', '/a?done');

answer('/b' => 'x', 'done');
$t->see('GET', '/b?done');

$r->wait_requests(6);

is(events('/shared'), 'LAUNCHED STARTED FINISHED',
	'around both locations, once each');
is(events('/a'), 'LAUNCHED FINISHED', 'one location, what it saw first');
is(events('/b'), 'STARTED', 'the other location, what it saw first');

# many clients at once

answer('/crowd' => 'c', 'running');

my @clients = map { $t->connect() } 1 .. 60;	# they stay open

$_->send_request('GET', '/crowd') for @clients;
is(grep({ $_->read_response()->status != 200 } @clients), 0, 'many answers');

answer('/crowd' => 'c', 'done');
$_->send_request('GET', '/crowd') for @clients;
is(grep({ $_->read_response()->status != 200 } @clients), 0, 'many more');

$t->see('GET', '/crowd?last');
$r->wait_requests(2, undef, '/crowd');

is(events('/crowd'), 'STARTED FINISHED', 'many at once, once each');

# two installations, whose executions have the same ids

answer('/one' => 'x', 'waiting');
answer('/two' => 'x', 'waiting');
$t->see('POST', '/one');
$t->see('POST', '/two');

my @q = $r->wait_requests(5, undef, '/shared');

is(events('/shared'), 'LAUNCHED STARTED FINISHED LAUNCHED LAUNCHED',
	'two realms');
is(uniq(map { $_->header('X-Webhook-Delivery') } @q), 5,
	'two realms, two ids');

# both transports

answer('/both' => 'v', 'running');
$t->see('GET', '/both', headers => [ 'X-Trace' => 'abc' ]);

my ($one, $two) = $r->wait_requests(2, undef, '/both');

is($one->body, $two->body, 'transports - body');
is($one->target, $two->target, 'transports - target');
is($one->target, '/both?a=b%20c', 'transports - as in url');
is($one->header('X-Trace'), 'trace abc', 'transports - variable');

is_deeply(headers($one), headers($two), 'transports - headers');
is(join(' ', map { defined ? "<$_>" : '-' } map { scalar $one->header($_) }
	qw/ X-Colon Accept X-Led X-Semicolon Webhook-Own Authorization X-Last /),
	'<a: b;> <text/plain> <led> <a;> <own> <Bearer t> <9>',
	'transports - headers of all kinds');
isnt($one->header('X-Webhook-Delivery'), $two->header('X-Webhook-Delivery'),
	'transports - a delivery each');

# another machine, which sees it all, and more

my $t2 = WebhookTest->new(workers => 1);

my $up2 = $t2->upstream('up');
my $r2 = $t2->receiver('r');

$t2->http_config($conf);
$t2->run();

for my $n (1 .. 3) {
	for my $machine ([ $t, $up, $r ], [ $t2, $up2, $r2 ]) {
		my ($t, $up, $r) = @$machine;

		$up->set('/a' => { json => { id => 'm', progress => $n,
			status => $n < 3 ? 'running' : 'done' } });
		$t->see('GET', "/a?machine=$n");

		wait_for { grep({ $_->json->{execution}{id} eq 'm' }
			$r->requests('/shared')) == $n };
	}
}

my %ids;

for my $r ($r, $r2) {
	push @{ $ids{$r} }, map { $_->json->{event} . ' '
		. $_->header('X-Webhook-Delivery') }
		grep { $_->json->{execution}{id} eq 'm' }
		$r->requests('/shared');
}

is(@{ $ids{$r} }, 3, 'two machines - STARTED, UPDATED, FINISHED');
is_deeply($ids{$r}, $ids{$r2}, 'two machines - the same ids');

$t2->done(more => 1);
$t->done();

###############################################################################

sub answer {
	my ($path, $id, $status) = @_;

	$up->set($path => { json => { id => $id, status => $status } });
}

sub events {
	my ($path) = @_;

	return join ' ', map { $_->json->{event} } $r->requests($path);
}

# but those that may differ between transports

sub headers {
	my ($q) = @_;

	my %may = map { $_ => 1 } qw/ x-webhook-delivery accept connection /;

	return [ map { lc($_->[0]) . ": $_->[1]" } sort {
		lc $a->[0] cmp lc $b->[0] } grep { !$may{lc $_->[0]} }
		$q->headers() ];
}

###############################################################################
