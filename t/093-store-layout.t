#!/usr/bin/perl

# A file of an older layout is turned into ours: what waits is sent, what is
# known stays known, what ended is kept; whatever happens meanwhile.  One of a
# newer layout is left alone, and nginx goes on without a store.

###############################################################################

use warnings;
use strict;

use POSIX ();
use File::Copy qw/ copy /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my $retry = 'retry ' . '300ms ' x 30 . ';';
my @mounted;

END { unmount(); }

my $layout_1 = <<'EOF';
BEGIN;
DROP TRIGGER deliveries_gone;
ALTER TABLE states RENAME TO s;
ALTER TABLE deliveries RENAME TO d;
ALTER TABLE payloads RENAME TO p;
DROP INDEX deliveries_seq;
DROP INDEX deliveries_open;
DROP INDEX deliveries_ended;
DROP INDEX states_seen;

CREATE TABLE states (key BLOB PRIMARY KEY, rank INTEGER NOT NULL,
    sequence INTEGER NOT NULL, seen INTEGER NOT NULL,
    state BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX states_seen ON states (seen);

CREATE TABLE deliveries (id INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE,
    seq INTEGER NOT NULL, hook INTEGER NOT NULL, key BLOB NOT NULL,
    event INTEGER NOT NULL, sequence INTEGER NOT NULL,
    time INTEGER NOT NULL, execution TEXT NOT NULL,
    created INTEGER NOT NULL, due INTEGER NOT NULL,
    ended INTEGER NOT NULL, status INTEGER NOT NULL,
    tries INTEGER NOT NULL, attempts INTEGER NOT NULL,
    base INTEGER NOT NULL, code INTEGER NOT NULL, duration INTEGER NOT NULL);
CREATE INDEX deliveries_seq ON deliveries (seq);
CREATE INDEX deliveries_open ON deliveries (hook, seq) WHERE ended = 0;
CREATE INDEX deliveries_ended ON deliveries (ended) WHERE ended > 0;

CREATE TABLE payloads (id INTEGER PRIMARY KEY, payload TEXT NOT NULL,
    headers TEXT);

CREATE TRIGGER deliveries_gone AFTER DELETE ON deliveries BEGIN
    DELETE FROM payloads WHERE id = old.id;
    DELETE FROM attempts WHERE id = old.id;
END;

INSERT INTO states SELECT key, rank, sequence, seen, state FROM s;
INSERT INTO deliveries (uuid, seq, hook, key, event, sequence, time, execution,
    created, due, ended, status, tries, attempts, base, code, duration)
    SELECT uuid, seq, hook, key, event, sequence, time, execution, created,
    due, ended, status, tries, attempts, base, code, duration FROM d;
INSERT INTO payloads SELECT deliveries.id, payload, headers.headers
    FROM deliveries JOIN d USING (uuid) JOIN p ON p.id = d.id
    LEFT JOIN headers ON headers.id = d.id;
UPDATE attempts SET id = (SELECT deliveries.id FROM deliveries
    JOIN d USING (uuid) WHERE d.id = attempts.id);

DROP TABLE s;
DROP TABLE d;
DROP TABLE p;
DROP TABLE headers;
DROP TABLE texts;
DROP TABLE watches;
PRAGMA user_version = 1;
COMMIT;
EOF

###############################################################################

subtest 'layout 1' => sub {
	my $s = WebhookTest::Store->new(hook => "$retry header X-Var \$http_x_var;");
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();

	$s->status("a$_", 'queued', launch => 1) for 1 .. 5;
	ok($r->wait_requests(5), 'delivered');
	ok($s->on_disk(waiting => 0), 'ended');

	$r->set('*' => { status => 503 });

	$s->{up}->set('/jobs' => { json => { id => 'w', status => 'running' } });
	$t->get('/jobs', headers => [ 'X-Var' => 'V4lue' ]);
	$s->status('a1', 'running');

	ok($s->on_disk(waiting => 2), 'two wait');
	$t->stop();

	$s->sql($layout_1);
	is($s->sql('PRAGMA user_version'), 1, 'an older file');
	is($s->sql('SELECT count(*) FROM payloads'), 7, 'with all that was in it');
	like($s->sql('SELECT headers FROM payloads WHERE headers NOT NULL'),
		qr/^X-Var: V4lue/, 'headers, too');

	$r->forget();
	$r->set('*' => { status => 204 });
	$t->run();

	$s->status('a2', 'queued');
	$s->status('a1', 'running');
	$s->status('a2', 'running');

	my @got = $r->wait_requests(3, 20);
	my ($waited) = grep { $_->json()->{execution}{id} eq 'w' } @got;

	is(join(' ', sort split / /, $s->names(@got)),
		'a1/STARTED a2/STARTED w/STARTED',
		'what waited is sent, what was known is known');
	is($waited && $waited->header('X-Var'), 'V4lue', 'with its header');

	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->sql('PRAGMA user_version'), 2, 'layout 2');
	is($s->sql('PRAGMA integrity_check'), 'ok', 'the file is sound');
	is($s->sql('SELECT count(*) FROM deliveries'), 8, 'all are kept');
	is($s->sql('SELECT count(*) FROM deliveries JOIN payloads USING (id)'), 8,
		'with payloads');
	is($s->sql('SELECT count(*) FROM headers'), 0, 'no headers');
	is($s->sql('SELECT count(*) FROM deliveries d WHERE NOT EXISTS'
		. ' (SELECT 1 FROM attempts a WHERE a.id = d.id)'), 0,
		'with attempts');
	is($s->sql('SELECT count(*) FROM states'), 6, 'states');
	is($s->sql("SELECT name FROM sqlite_master WHERE name LIKE '%1'"), '',
		'nothing is left of the old tables');

	$s->done();
};

subtest 'a newer layout' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $file = "$s->{dir}/webhooks.db";
	my $said = qr/\[alert\].*\Q$file\E": its layout is 3, known are those up to 2; it is left alone/;

	$t->allow(qr/it is left alone, and nothing is stored/);
	$t->run();
	$s->status('a', 'queued', launch => 1);
	ok($r->wait_requests(1) && $s->on_disk(waiting => 0), 'stored');
	$t->stop();

	$s->sql('PRAGMA user_version = 3; CREATE TABLE more (x)');
	my $before = read_file($file);

	for my $how ('at the start', 'after a reload') {
		$t->mark_log();
		$r->forget();

		if ($how eq 'at the start') {
			$t->run();

		} else {
			ok($t->reload(), 'reload');
		}

		ok($t->grep_log($said), "$how: said");

		$s->status("b$how", 'queued', launch => 1);
		ok($r->wait_requests(1), "$how: deliveries go on");
		my $store = json($t->get('/hooks/')->body())->{store};
		is($store->{state}, 'failing', "$how: there is no store");
		is($store->{error}, 'its layout is 3, known are those up to 2;'
			. ' it is left alone', "$how: why");
		like($t->get('/hooks/metrics')->body(),
			qr/^nginx_webhook_store_failing 1$/m, "$how: metrics");
	}

	$t->stop();

	ok(read_file($file) eq $before, 'not a byte of it has changed');
	is(join(' ', glob "$s->{dir}/*.damaged-*"), '', 'nor was it set aside');

	$s->sql('PRAGMA user_version = 2');
	$t->run();
	$s->status('c', 'queued', launch => 1);
	ok(wait_for(sub {
		$s->sql("SELECT count(*) FROM deliveries") eq '2'
	}), 'and with a layout that is known it is stored again');

	$s->done();
};

# a state that was forgotten and came again has two rows

subtest 'two rows of an execution' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();

	$s->status('a', 'queued', launch => 1);
	$s->status('a', 'running');
	ok($r->wait_requests(2) && $s->on_disk(waiting => 0), 'running');
	ok(wait_for(sub { $s->sql('SELECT rank FROM states') eq '2' }), 'written');

	$s->sql('CREATE TABLE later AS SELECT * FROM states');

	$s->status('a', 'done');
	ok($r->wait_requests(3), 'final');
	ok(wait_for(sub { $s->sql('SELECT rank FROM states') eq '3' }), 'written');
	$t->stop();

	$s->sql('INSERT INTO states SELECT id + 1000, key, rank, sequence, seen,'
		. ' state FROM later; DROP TABLE later');
	$r->forget();
	$t->run();

	$s->status('a', 'done');
	is($s->names($r->wait_requests(1)), 'a/FINISHED', 'the newer one counts');

	$s->done();
};

# many rows of an older layout: n waiting, and as many that ended

sub older {
	my ($s, $n) = @_;

	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status('w', 'running');
	ok($s->on_disk(waiting => 1), 'one waits');
	$t->stop();

	$s->sql('CREATE TABLE more AS WITH RECURSIVE n(i) AS (SELECT 1'
		. " UNION ALL SELECT i + 1 FROM n WHERE i < $n * 2) SELECT i"
		. ' FROM n;'

		. 'INSERT INTO deliveries SELECT id + i, seq + i, randomblob(16),'
		. ' hook, randomblob(16), event, sequence, time, execution || i,'
		. ' created, due, (i % 2) * created, (i % 2) * 2, 0, 0, 0, 0, 0'
		. ' FROM deliveries CROSS JOIN more;'

		. 'INSERT INTO payloads SELECT p.id + i, replace(payload,'
		. " '\"w\"', '\"w' || i || '\"') || hex(zeroblob(1500))"
		. ' FROM payloads p CROSS JOIN more;'

		. 'DROP TABLE more');

	$s->sql($layout_1);
	is($s->sql('PRAGMA wal_checkpoint(TRUNCATE);'
		. ' SELECT count(*) FROM deliveries'),
		"0|0|0\n" . (2 * $n + 1), 'an older file');

	$r->forget();
	$r->set('*' => { status => 204 });
}

# it is as it was, or as it is to be

sub whole {
	my ($s, $n, $when) = @_;

	my $version = $s->sql('PRAGMA user_version');

	is($s->sql('PRAGMA integrity_check'), 'ok', "$when: sound");
	is($s->sql('SELECT count(*), sum(ended = 0), count(DISTINCT uuid)'
		. ' FROM deliveries JOIN payloads USING (id)'),
		join('|', 2 * $n + 1, $n + 1, 2 * $n + 1),
		"$when: layout $version, all of it");

	return $version;
}

sub converted {
	my ($s, $n) = @_;

	my ($t, $r) = @$s{qw/ t r /};

	ok($r->wait_requests($n + 1, 30), 'what waited is sent');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($r->requests(), $n + 1, 'each once');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	is($s->sql('PRAGMA user_version'), 2, 'layout 2');
	is($s->sql('SELECT count(*) FROM deliveries JOIN payloads USING (id)'),
		2 * $n + 1, 'all are kept');

	$s->status('w', 'running');
	$s->status('w', 'done');
	ok($r->wait_requests($n + 2), 'what was known is known');
	is($r->requests(), $n + 2, 'and nothing else comes');
}

# everything is killed when so many MB of the new file have been written; when
# it is there

subtest 'killed while it is converted' => sub {
	my $s = WebhookTest::Store->new(zone => '16m', hook => $retry);
	my ($t, $r) = @$s{qw/ t r /};
	my $n = 1500;
	my $file = "$s->{dir}/webhooks.db";

	older($s, $n);
	copy($file, "$file.old") or die "$file: $!\n";

	my %moments = (
		1 => sub { -s "$file-wal" },
		map({ my $mb = $_; $mb => sub {
			(-s "$file-wal" || 0) > $mb * 1024 * 1024
		} } 4, 8, 16),
		99 => sub {
			sysopen my $f, $file, 0 or return;
			sysread $f, my $head, 64;
			unpack('x60 N', $head) == 2
		},
	);

	for my $moment (sort { $a <=> $b } keys %moments) {
		my $version = $moment == 99 ? 2 : 1;
		my $found;

		# a busy machine may come too late: once more, then

		for (1 .. 10) {
			my $pid = start($t);
			my $until = time() + 20;

			# no time is to be lost

			1 until $moments{$moment}->() || time() > $until;

			kill_all($t, $pid);

			$found = whole($s, $n, "killed, $moment");
			is($r->requests(), 0, 'nothing is sent');

			last if $found == $version;

			unlink "$file-wal", "$file-shm";
			copy("$file.old", $file) or die "$file: $!\n";
		}

		is($found, $version, $moment == 99
			? 'converted, and not yet made smaller'
			: 'not yet converted');
	}

	$t->run();
	converted($s, $n);

	$s->done();
};

subtest 'no room to convert it' => sub {
	my $s = WebhookTest::Store->new(zone => '16m', hook => $retry);
	my ($t, $r) = @$s{qw/ t r /};
	my $n = 200;

	mkdir $s->{dir}, 0700;

	if ($> != 0 || system("mount -t tmpfs -o size=64m,mode=700 none"
		. " $s->{dir} 2>/dev/null"))
	{
		plan skip_all => 'no file system of our own';
	}

	push @mounted, $s->{dir};

	older($s, $n);

	my ($used) = `df -k --output=used $s->{dir}` =~ /(\d+)\s*$/;
	my $room = $used + 300;

	is(system("mount -o remount,size=${room}k $s->{dir}"), 0, 'a full disk');

	$t->run();
	ok($t->wait_log(qr/\[error\].*webhook_store.*fails: .*full/), 'said');

	$s->status('x', 'queued', launch => 1);
	is($s->names($r->wait_requests(1)), 'x/LAUNCHED', 'deliveries go on');

	whole($s, $n, 'full');
	is($s->sql('PRAGMA user_version'), 1, 'as it was');

	# a start with such a disk, too

	$t->crash();
	is($s->names($r->requests()), 'x/LAUNCHED', 'nothing else was sent');
	whole($s, $n, 'killed');
	$t->run();
	ok($t->wait_log(qr/\[error\].*webhook_store.*fails: .*full/), 'said');
	$r->forget();

	is(system("mount -o remount,size=64m $s->{dir}"), 0, 'room');

	converted($s, $n);

	$t->stop();
	unmount();
	$s->done();
};

done_testing();

###############################################################################

# nginx begins, and nobody waits for it

sub start {
	my ($t) = @_;

	my $pid = fork();
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDERR, '>>', $t->dir() . '/stderr';
		exec $t->command('-c', $t->dir() . '/nginx.conf', '-e',
			$t->dir() . '/error.log') or POSIX::_exit(127);
	}

	return $pid;
}

sub kill_all {
	my ($t, $pid) = @_;

	kill 'STOP', $pid;
	kill 'KILL', $pid, $t->all_workers();
	waitpid $pid, 0;
	wait_for { !$t->all_workers() };
}

sub unmount {
	system('umount', '-l', $_) for splice @mounted;
}

###############################################################################
