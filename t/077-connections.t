#!/usr/bin/perl

# webhook_connections: an exact cap over all webhooks of a worker, and nobody
# starves below it: a free place is used at once, by whoever waits longest.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('r', fallback => { status => 204, hold => 1 });

my @names = map { "h$_" } 1 .. 6;

my $hooks = join '', map { "webhook $_ { url " . $r->url("/$_")
	. "; events LAUNCHED; max_in_flight 100; timeout 60s; }\n" } @names;

$t->http_config(<<"EOF");

webhook_connections 4;

webhook_api jobs {
    id    /id;
    state /status;
    route POST /api/jobs { launch; each /jobs/*; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;
        $hooks
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$up->set('/api/jobs' => { json => { jobs => [
	map { { id => $_, status => 'new' } } 1 .. 30 ] } });

$t->run();
$t->post('/api/jobs', '{}');

$r->wait_requests(4);

my $settled = wait_for { sum('in_flight') == 4 };
ok($settled, 'as many as allowed');
is(sum('waiting'), 6 * 30 - 4, 'the others wait');

# one place after the other becomes free

my $most = 0;

for (1 .. 40) {
	my $before = $r->requests;
	$r->release(1);
	$r->wait_requests($before + 1);

	my $now = sum('in_flight');
	$most = $now if $now > $most;
}

cmp_ok($most, '<=', 4, 'never more');

my %seen;
$seen{$_->path}++ for $r->requests;

is(keys %seen, @names, 'every webhook had its turn');
my ($least) = sort { $a <=> $b } values %seen;
cmp_ok($least, '>=', 3, 'nobody starves');

$r->set('*' => { status => 204 });
$r->release();

my $done = wait_for { sum('waiting') + sum('in_flight') == 0 } 20;
ok($done, 'all are sent');

$t->done();

###############################################################################

sub sum {
	my ($what) = @_;
	my $n = 0;

	$n += $_->{$what} for @{ $t->get('/status/hooks')->json->{hooks} };

	return $n;
}

###############################################################################
