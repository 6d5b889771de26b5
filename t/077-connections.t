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

my $launched = 0;
my @names = map { "h$_" } 1 .. 6;

$t->http_config(config(4, \@names));

$t->run();
launch(0);

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


# those that hang leave one for each that has none in flight

my @hang = @names[0 .. 2];
my @well = map { "well$_" } 1 .. 3;

$r->set('*' => { status => 204 }, map { ("/$_" => { hold => 1 }) } @hang);

$t->http_config(config(10, \@hang, \@well));
ok($t->reload(), 'ten connections');

my $pinged = wait_for { 3 == grep { $_->{delivered} } hooks(@well) };
ok($pinged, 'there are others');

launch(0);

my $full = wait_for { in_flight(@hang) >= 7 };
ok($full, 'some hang');

launch(1);

my $sent = wait_for { !grep { $_->{delivered} != 31 } hooks(@well) } 20;
ok($sent, 'the others are sent meanwhile');

is(in_flight(@hang), 7, 'all the rest is for who needs it');

$r->set(map { ("/$_" => { status => 204 }) } @hang);
$r->release();

$done = wait_for { sum('waiting') + sum('in_flight') == 0 } 20;
ok($done, 'and they are in the end');

$t->done();

###############################################################################

# a location for each list of webhooks

sub config {
	my ($connections, @lists) = @_;

	my $locations = '';

	for my $i (0 .. $#lists) {
		my $hooks = join '', map { "webhook $_ { url " . $r->url("/$_")
			. "; max_in_flight 100; timeout 60s; events LAUNCHED"
			. (/well/ ? ' PING' : '') . "; }\n" } @{ $lists[$i] };

		$locations .= <<"EOF";
    location /api/$i/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;
        $hooks
    }

EOF
	}

	return <<"EOF";

webhook_connections $connections;

webhook_api jobs {
    id    /id;
    state /status;
    route POST /api/* { launch; each /jobs/*; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

$locations
    location /status/ {
        webhook_status write=on;
    }
}

EOF
}

sub launch {
	my ($location) = @_;

	$up->set('*' => { json => { jobs => [
		map { { id => 'j' . ++$launched, status => 'new' } } 1 .. 30 ] } });

	$t->post("/api/$location/", '{}');
}

sub hooks {
	my %wanted = map { $_ => 1 } @_;

	return grep { $wanted{$_->{name}} }
		@{ $t->get('/status/hooks')->json->{hooks} };
}

sub in_flight {
	my $n = 0;

	$n += $_->{in_flight} for hooks(@_);

	return $n;
}

sub sum {
	my ($what) = @_;
	my $n = 0;

	$n += $_->{$what} for @{ $t->get('/status/hooks')->json->{hooks} };

	return $n;
}

###############################################################################
