#!/usr/bin/perl

# What the status endpoint no longer finds in the zone it reads from the store.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my %write = (headers => [ 'X-Webhook-Write' => 1 ]);

sub got { $_[0]{t}->get("/hooks/$_[1]") }
sub did { $_[0]{t}->post("/hooks/$_[1]", '', %write) }

sub list {
	my ($s, $query) = @_;

	return json(got($s, "deliveries?$query")->body())->{deliveries};
}

# ends N deliveries of a zone that keeps two of them

sub ended {
	my ($s, $n, %o) = @_;

	for my $i (1 .. $n) {
		$s->status("e$i", 'queued', launch => 1, size => $o{size});
	}

	ok($s->{r}->wait_requests($n), 'all are sent');
	ok(wait_for(sub {
		($s->sql('SELECT count(*) FROM deliveries WHERE ended > 0')
			|| 0) == $n
	}, 20), 'all are on disk');
}

# what the store has, oldest first: uuid, execution

sub stored {
	my ($s) = @_;

	return map { [ split /\|/ ] } split /\n/, $s->sql(
		'SELECT lower(hex(uuid)), execution FROM deliveries ORDER BY seq');
}

sub uuid {
	my ($hex) = @_;

	return join '-', unpack 'a8 a4 a4 a4 a12', $hex;
}

###############################################################################

subtest 'one delivery' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=2');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	ended($s, 6);

	my ($last) = @{ list($s, 'execution=e6') };
	my @rows = stored($s);
	my $known = json(got($s, "deliveries/$last->{uuid}")->body());

	my $old = got($s, 'deliveries/' . uuid($rows[0][0]));
	is($old->status, 200, 'found in the store');

	my $d = $old->json;
	is($d->{uuid}, uuid($rows[0][0]), 'uuid');
	is($d->{execution}, 'e1', 'execution');
	is($d->{hook}, 'ci', 'hook');
	is($d->{status}, 'delivered', 'status');
	is($d->{code}, 204, 'code');
	is($d->{attempt_count}, 1, 'number of attempts');
	is(@{ $d->{attempts} }, 1, 'attempts');
	is($d->{attempts}[0]{code}, 204, 'attempt');
	is($d->{response}{code}, 204, 'response');
	is($d->{request}{payload}, ($r->requests())[0]->body(), 'payload');
	is($d->{timestamp}, ($r->requests())[0]->header('X-Webhook-Time'),
		'time');

	for (qw/ request response /) {
		is_deeply([ sort keys %{ $d->{$_} } ],
			[ sort keys %{ $known->{$_} } ], "members of $_");
	}

	is_deeply([ sort keys %$d ], [ sort keys %$known ], 'members');
	is_deeply([ sort keys %{ $d->{attempts}[0] } ],
		[ sort keys %{ $known->{attempts}[0] } ], 'members of attempts');

	is($t->head('/hooks/deliveries/' . uuid($rows[0][0]))->status, 200,
		'HEAD');
	is(got($s, 'deliveries/01234567-89ab-8def-8123-456789abcdef')->status,
		404, 'in neither');
	is(got($s, 'deliveries/nonsense')->status, 404, 'no uuid');

	# two requests on one connection, many at once

	my $c = $t->connect();

	for my $row (@rows) {
		is($c->request('GET', '/hooks/deliveries/' . uuid($row->[0]))
			->json->{execution}, $row->[1], "$row->[1]: kept alive");
	}

	# a client that does not wait

	for (1 .. 20) {
		my $gone = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $t->port(0));

		syswrite $gone, "GET /hooks/deliveries/" . uuid($rows[0][0])
			. " HTTP/1.1\r\nHost: localhost\r\n\r\n";
		close $gone;
	}

	is(got($s, 'deliveries/' . uuid($rows[1][0]))->status, 200,
		'clients that leave');

	# after a restart its attempts are in the store alone

	$r->set('*' => { status => 503 });
	$s->configure(hook => 'retry 1h;');
	ok($t->reload(), 'reload');
	$s->status('w', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');
	ok(wait_for(sub {
		$s->sql('SELECT count(*) FROM deliveries WHERE ended = 0'
			. ' AND tries = 1')
	}), 'tried');

	$t->stop();
	$t->run();

	my ($w) = @{ list($s, 'execution=w') };
	$d = got($s, "deliveries/$w->{uuid}")->json;
	is($d->{status}, 'waiting', 'restarted: waiting');
	is($d->{attempt_count}, 1, 'restarted: one attempt');
	is(@{ $d->{attempts} }, 1, 'restarted: attempts');
	is($d->{attempts}[0]{code}, 503, 'restarted: attempt');

	# the file is gone, damaged

	my $name = "$s->{dir}/webhooks.db";
	rename $name, "$name.away";
	is(got($s, 'deliveries/' . uuid($rows[0][0]))->status, 503, 'no file');
	is(got($s, "deliveries/$w->{uuid}")->status, 200, 'no file: zone');

	rename "$name.away", $name;
	is(got($s, 'deliveries/' . uuid($rows[0][0]))->status, 200, 'and again');

	# a worker that exits answers first

	$t->signal('QUIT');
	ok($t->wait_gone(10), 'exits');

	$s->done();
};

done_testing();

###############################################################################
