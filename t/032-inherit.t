#!/usr/bin/perl

# Which webhooks an event goes to: those of its location and of all that is
# around it, unless webhook_inherit cuts them off; each of them once.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $r = $t->receiver('ci');

$t->file('shared.conf',
	'webhook shared { url ' . $r->url() . '/shared; events EXECUTION; }');

$t->http_config(<<'CONF');

webhook_api test {
    route GET /* { }
    id     /id;
    state  /status;
    states STARTED running;
}

webhook_defaults { events EXECUTION; }
webhook_observe test;

webhook top { url %%URL_ci%%/top; }

server {
    listen 127.0.0.1:%%PORT_0%%;

    webhook mid { url %%URL_ci%%/mid; }
    include %%TESTDIR%%/shared.conf;

    location /add {
        webhook low { url %%URL_ci%%/low; }
        include %%TESTDIR%%/shared.conf;
        return 200 '{"id":"add","status":"running"}';

        location /add/deep {
            webhook_inherit on;
            webhook deep { url %%URL_ci%%/deep; }
            return 200 '{"id":"deep","status":"running"}';
        }
    }

    location /cut {
        webhook_inherit off;
        webhook cut { url %%URL_ci%%/cut; }
        return 200 '{"id":"cut","status":"running"}';

        location /cut/deep {
            return 200 '{"id":"cut-deep","status":"running"}';
        }

        location /cut/all {
            webhook_inherit off;
            return 200 '{"id":"cut-all","status":"running"}';
        }
    }

    location /if {
        if ($arg_x) {
            return 200 '{"id":"if","status":"running"}';
        }
    }

    location / {
        return 200 '{"id":"plain","status":"running"}';
    }
}

server {
    listen 127.0.0.1:%%PORT_1%%;

    webhook_inherit off;
    include %%TESTDIR%%/shared.conf;

    location / {
        return 200 '{"id":"other","status":"running"}';
    }
}

CONF

$t->run();

my %expected = (
	'plain' => [qw/ mid shared top /],
	'add' => [qw/ low mid shared top /],
	'deep' => [qw/ deep low mid shared top /],
	'cut' => [qw/ cut /],
	'cut-deep' => [qw/ cut /],
	'cut-all' => [],
	'if' => [qw/ mid shared top /],
	'other' => [qw/ shared /],
);

$t->get($_) for qw! / /add /add/deep /cut /cut/deep /cut/all /if?x=1 !;
$t->request('GET', '/', port => $t->port(1));

my $n = 0;
$n += @$_ for values %expected;

$r->wait_requests($n);
ok($t->quit(), 'quit, everything sent');

my %got = map { $_ => [] } keys %expected;

push @{ $got{$_->json->{execution}{id}} }, substr $_->path, 1
	for $r->requests();

is_deeply([ sort @{ $got{$_} } ], $expected{$_}, $_) for sort keys %expected;

$t->done();

###############################################################################
