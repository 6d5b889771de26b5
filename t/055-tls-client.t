#!/usr/bin/perl

# Client certificates of the built-in transport: the key is root's alone, as
# it should be, and the workers are not root.  So may trusted ones be.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

plan(skip_all => 'needs root') if $> != 0;

my $t = WebhookTest->new(user => 'www-data');

my $server = $t->cert('server');
my $client = $t->cert('client');
my $r = $t->receiver('r', tls => $server, client_certificate => 1);

my $plain = $t->receiver('plain', tls => $server);
my $ca = $t->file('own-ca.pem', "Ours:\n" . read_file($client->{cert})
	. read_file($server->{ca}));

chmod 0600, $client->{key}, $ca or die "chmod: $!";

$t->http_config(<<"EOF");

webhook_defaults {
    retry                    off;
    timeout                  5s;
    ssl_trusted_certificate  $server->{ca};
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    webhook with {
        url              %%URL_r%%/with;
        ssl_certificate  $client->{cert} $client->{key};
    }

    webhook without {
        url  %%URL_r%%/without;
    }

    webhook trusts {
        url                      %%URL_plain%%/trusts;
        ssl_trusted_certificate  $ca;
        events                   LAUNCHED;
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

my $with = ended('with');

is($with->{attempts}[0]{code}, 204, 'with a certificate');
is($with->{status}, 'delivered', 'delivered');

my $without = ended('without');

is($without->{attempts}[0]{code}, undef, 'without one');
is($without->{status}, 'failed', 'failed');
unlike($without->{attempts}[0]{error}, qr/internal/, 'an error of the peer');

is(scalar(grep { $_->path eq '/without' } $r->requests), 0, 'not received');

# what is trusted is what the file had when nginx started

write_file($ca, '');

$t->request('POST', '/status/hooks/trusts/ping',
	headers => [ 'X-Webhook-Write' => '1' ]);

my $trusts = ended('trusts')->{attempts}[0];

is($trusts->{code}, 204, 'trusted certificates that are root\'s alone')
	or diag($trusts->{message});

$t->done();

###############################################################################

sub ended {
	my ($hook) = @_;
	my $d;

	wait_for {
		($d) = @{ $t->get("/status/deliveries?hook=$hook")
			->json->{deliveries} };
		return $d && $d->{status} !~ /waiting|sending/;
	};

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

###############################################################################
