#!/usr/bin/perl

# The built-in transport with nginx's own resolver: it alone is asked, but for
# localhost, what it says is tried, and a name server that says nothing holds up nobody.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $dns = $t->dns('dns', names => {
	'hook.test' => '127.0.0.1',
	'two.test' => [ '127.0.0.1', '127.0.0.2' ],
	'silent.test' => 'silent',
	'refused.test' => 'refused',
	'moving.test' => '127.0.0.2',
});
my $r = $t->receiver('r');

# name => [ host, settings, code, error, message ]

my %cases = (
	known => [ 'hook.test', '', 204 ],
	two => [ 'two.test', '', 204 ],
	unknown => [ 'no.test', '', undef, 'dns',
		qr/^the name of no\.test could not be resolved/ ],
	refused => [ 'refused.test', '', undef, 'dns' ],
	silent => [ 'silent.test', 'timeout 400ms;', undef, 'timeout' ],
	number => [ '127.0.0.1', '', 204 ],
	local => [ 'localhost', '', 204 ],
	locals => [ 'ci.localhost', '', 204 ],
	moving => [ 'moving.test', 'retry' . ' 1200ms' x 8 . ';', 204 ],
);

my $hooks = join '', map { "webhook $_ {"
	. " url http://$cases{$_}[0]:%%PORT_r%%/$_; $cases{$_}[1] }\n" }
	sort keys %cases;

$t->http_config(<<"EOF");

resolver 127.0.0.1:%%PORT_dns%% ipv6=off;

webhook_defaults { retry off; }

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

# a new address is tried as soon as the old one's time is over

wait_for { first('moving')->{attempts} };

$dns->set('moving.test' => '127.0.0.1');

for my $name (sort keys %cases) {
	my ($host, undef, $code, $error, $message) = @{ $cases{$name} };
	my $d = ended($name);
	my $a = $d->{attempts}[-1];

	is($d->{status}, $code ? 'delivered' : 'failed', "$name - status");
	is($a->{code}, $code, "$name - code");
	is($a->{error}, $error, "$name - error");

	if ($code) {
		is($a->{peer}, '127.0.0.1:' . $r->port, "$name - peer");
		is(($r->requests("/$name"))[-1]->header('Host'),
			"$host:" . $r->port, "$name - Host");
	}

	like($a->{message}, $message, "$name - a sentence") if $message;
}

is(ended('moving')->{attempts}[0]{error}, 'connect', 'moving - old address');

is((grep { $_->{name} =~ /localhost/ } $dns->events('question')), 0,
	'localhost is this machine, and nobody is asked');

my $total = ended('silent')->{attempts}[0]{phases}{total};

cmp_ok($total, '>=', 390, 'silent - as long as it was given');
cmp_ok($total, '<', 3000, 'silent - not longer');

$t->done();

###############################################################################

sub first {
	my ($hook) = @_;

	return $t->get("/status/deliveries?hook=$hook")
		->json->{deliveries}[0] || {};
}

sub ended {
	my ($hook) = @_;

	wait_for { (first($hook)->{status} || 'sending') !~ /waiting|sending/ };

	return $t->get('/status/deliveries/' . first($hook)->{uuid})->json;
}

###############################################################################
