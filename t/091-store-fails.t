#!/usr/bin/perl

# What the store does when its disk refuses: deliveries go on, it is said, and
# what was missed is written when it can be.

###############################################################################

use warnings;
use strict;

use Errno qw/ EDQUOT /;
use Test::More;

use WebhookTest;
use WebhookTest::Faults;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my @mounted;

sub unmount { system('umount', '-l', pop @mounted) while @mounted; }

END { unmount(); }

sub mount {
	my ($dir, $options) = @_;

	mkdir $dir;
	return 0 if $> != 0 || system("mount -t tmpfs -o $options none $dir"
		. ' 2>/dev/null');
	push @mounted, $dir;

	return 1;
}

sub store_of {
	my ($s) = @_;

	return json($s->{t}->get('/hooks/')->body())->{store};
}

sub refused {
	my ($s) = @_;

	return ($s->{t}->get('/hooks/metrics')->body()
		=~ /^nginx_webhook_store_failures_total (\d+)/m)[0];
}

# the file, by another program; what ends that

sub locked {
	my ($s) = @_;

	my $done = "$s->{dir}/../locked";

	open my $f, '|-', 'sqlite3', '-batch', "$s->{dir}/webhooks.db"
		or die "sqlite3: $!\n";
	syswrite $f, ".timeout 10000\nBEGIN EXCLUSIVE;\n.shell touch $done\n";
	ok(wait_for(sub { -e $done }), 'locked');
	unlink $done;

	return sub {
		syswrite $f, "ROLLBACK;\n";
		close $f;
	};
}

# failing: sent all the same, counted; well again: all is on disk

sub goes_on {
	my ($s, $name, $n, $mend) = @_;
	my ($t, $r) = @$s{qw/ t r /};

	my $sent = sub { $s->of($name, $r->requests()) };

	$s->status("$name$_", 'queued', launch => 1) for 1 .. $n;

	ok(wait_for(sub { $sent->() == $n }, 20), "$name: deliveries go out");

	my $store = store_of($s);
	is($store->{state}, 'failing', "$name: said so");
	ok($store->{unstored}, "$name: counted");
	ok($store->{error}, "$name: why") and note($store->{error});
	like($t->error_log(), qr/\[error\].*webhook_store .* fails: /,
		"$name: in the error log");

	ok($t->wait_log(qr/ fails: .*; deliveries go out unstored/),
		"$name: what that means");

	$t->mark_log();
	my $refused = refused($s);
	ok(wait_for(sub { refused($s) >= $refused + 40 }, 20),
		"$name: it is tried again and again");

	# where the lock cannot be taken, by each worker

	cmp_ok($t->grep_log(qr/webhook_store .* fails: /), '<=', 1,
		"$name: said once");

	$mend->();

	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }, 20), "$name: well again");

	ok(wait_for(sub {
		($s->sql("SELECT count(*) FROM deliveries WHERE ended > 0"
			. " AND execution LIKE '$name%'") || 0) == $n
	}, 20), "$name: written then");

	$s->status("${name}after", 'queued', launch => 1);
	ok(wait_for(sub { $sent->() == $n + 1 }), "$name: and on");
	is($s->doubles($sent->()), '', "$name: each once");
}

###############################################################################

subtest 'a foreign lock' => sub {
	my $s = WebhookTest::Store->new();
	$s->{t}->run();

	$s->status('a', 'queued', launch => 1);
	ok($s->{r}->wait_requests(1), 'works');

	my $free = locked($s);

	goes_on($s, 'locked', 5, $free);

	$s->done();
};

###############################################################################

subtest 'a damaged file' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$t->allow(qr/was damaged and has been set aside/);
	$t->run();

	$s->status("a$_", 'queued', launch => 1) for 1 .. 5;
	ok($r->wait_requests(5), 'works');
	$t->stop();

	# at the start

	write_file("$s->{dir}/webhooks.db", 'no database ' x 1000);
	$t->run();

	like($t->error_log(),
		qr/\[alert\].*webhooks\.db" was damaged .* aside as "(\S+)"/,
		'said');
	my ($aside) = glob "$s->{dir}/webhooks.db.damaged-*";
	ok($aside && -s $aside == 12000, 'set aside');

	$s->status('b', 'queued', launch => 1);
	ok($r->wait_requests(6), 'service goes on');
	ok(wait_for(sub { $s->sql('SELECT count(*) FROM states') == 1 }), 'stored');

	# under way: all that is known is in the new file

	$r->set('*' => { status => 503 });
	$s->status('c', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'waits');

	# whoever opens it next sees it, and not who writes it now

	my $holder = $s->holder();

	kill 'STOP', $holder;
	wait_for { $t->stopped($holder) };

	open my $f, '+<', "$s->{dir}/webhooks.db" or die;
	print $f "\xff" x 65536;
	close $f;
	unlink "$s->{dir}/webhooks.db-wal";

	$t->kill_worker($holder, 'KILL');

	$s->status('d', 'queued', launch => 1);

	ok(wait_for(sub {
		$s->status('e' . time, 'queued', launch => 1);
		my @aside = glob "$s->{dir}/webhooks.db.damaged-*";
		grep { !/-(wal|shm)$/ && $_ ne $aside } @aside
	}, 30), 'set aside again');

	ok(wait_for(sub {
		($s->sql("SELECT group_concat(execution) FROM deliveries"
			. " WHERE execution IN ('c', 'd')") || '') =~ /^(c,d|d,c)$/
	}, 20), 'what waits is in the new one');
	ok(wait_for(sub { $s->sql("SELECT count(*) FROM states") > 2 }), 'states, too');

	$s->done();
};

###############################################################################

subtest 'a file that is taken away' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $file = "$s->{dir}/webhooks.db";

	$t->allow(qr/was (?:removed|replaced) while it was in use/);
	$t->run();

	$r->set('*' => { status => 503 });
	$s->status('waiting', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'waits');

	for my $how ('removed', 'moved', 'replaced') {
		$t->mark_log();

		system("cp $file $file.copy") if $how eq 'replaced';

		$how eq 'removed' ? unlink(glob "$file*")
			: $how eq 'moved' ? rename($file, "$file.old")
			: rename("$file.copy", $file);

		$s->status($how, 'queued', launch => 1);

		ok($t->wait_log(qr/\[alert\].*webhooks\.db" was \w+ while/),
			"$how - said");
		is($t->grep_log(qr/was \w+ while/), 1, "$how - once");
		ok(wait_for(sub {
			($s->sql("SELECT group_concat(execution) FROM"
				. " deliveries WHERE execution IN ('waiting',"
				. " '$how')") || '')
				=~ /^(?:waiting,$how|$how,waiting)$/
		}), "$how - what waits is in the new one");
	}

	$r->set('*' => { status => 204 });
	$t->crash();
	$t->run();

	ok(wait_for(sub { $s->on_disk(waiting => 0) }), 'sent after a crash');

	# no directory

	system("rm -r $s->{dir}");
	$s->status('alone', 'queued', launch => 1);
	ok($t->wait_log(qr/fails: the file cannot be opened.*unstored/),
		'no directory - said');
	ok($r->wait_request(sub { $_[0]->json->{execution}
		&& $_[0]->json->{execution}{id} eq 'alone' }),
		'no directory - sent');

	mkdir $s->{dir};
	ok(wait_for(sub { $s->sql("SELECT count(*) FROM deliveries WHERE"
		. " execution = 'alone' AND ended > 0") }),
		'a directory - written');

	$s->done();
};

###############################################################################

# SQLite would write on into what has no name, and a crash lose it

subtest 'a log that is taken away' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $file = "$s->{dir}/webhooks.db";

	$t->run();
	$s->did('hooks/ci/pause');
	$s->status('waiting', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'waits');
	is($t->grep_log(qr/was removed/), 0, 'not said for nothing');

	my $n = 1;

	for my $what (qw/ wal shm both another /) {
		$t->mark_log();

		if ($what eq 'another') {
			system("cp $file-wal $file.copy");
			rename "$file.copy", "$file-wal";

		} else {
			unlink $what eq 'both' ? ("$file-wal", "$file-shm")
				: "$file-$what";
		}

		$s->status($what, 'queued', launch => 1);

		ok($t->wait_log(qr/\[error\].*its "-wal" or "-shm" was removed/),
			"$what - said");
		ok($s->on_disk(waiting => ++$n), "$what - on disk");

		$s->status("$what-on", 'queued', launch => 1);
		ok($s->on_disk(waiting => ++$n), "$what - and on");
		is($t->grep_log(qr/"-shm" was removed/), 1, "$what - said once");
		is($t->grep_log(qr/ fails: /), 0, "$what - nothing fails");
	}

	$t->crash();
	is($s->sql('PRAGMA integrity_check'), 'ok', 'whole');
	$t->run();

	$s->did('hooks/ci/resume');
	ok($r->wait_requests($n), 'all are sent after a crash');
	is($s->doubles($r->requests()), '', 'each once');

	$s->done();
};

###############################################################################

# it is not taken for removed, and goes on when it is back: what was sent
# meanwhile is known there

subtest 'a directory that is away' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->did('hooks/ci/pause');
	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	ok($s->on_disk(waiting => 10), 'ten wait');

	rename $s->{dir}, "$s->{dir}.away" or die "rename: $!\n";
	$s->status('b', 'queued', launch => 1);
	ok($t->wait_log(qr/fails: the file cannot be opened.*unstored/), 'said');

	$s->did('hooks/ci/resume');
	ok($r->wait_requests(11), 'sent all the same');

	rename "$s->{dir}.away", $s->{dir} or die "rename: $!\n";
	ok(wait_for { store_of($s)->{state} eq 'ok' }, 'well again');
	ok($s->on_disk(waiting => 0), 'none waits on disk');
	is($t->grep_log(qr/was removed/), 0, 'nobody removed it');

	$t->crash();
	$t->run();
	$s->status('d', 'queued', launch => 1);
	ok($r->wait_request(sub { ($_[0]->json()->{execution}{id} || '') eq 'd' }),
		'goes on after a crash');
	is(scalar $r->requests(), 12, 'all are sent');
	is($s->doubles($r->requests()), '', 'each once');

	$s->done();
};

###############################################################################

subtest 'a link that leads elsewhere' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r, $dir) = @$s{qw/ t r dir /};

	$t->allow(qr/was removed while it was in use/);

	mkdir "$dir.$_", 0700 for 1, 2;
	symlink "$dir.1", $dir or die "symlink: $!\n";
	$t->run();

	$s->did('hooks/ci/pause');
	$s->status('a', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');

	unlink $dir;
	symlink "$dir.2", $dir or die "symlink: $!\n";

	$s->status('b', 'queued', launch => 1);
	ok($t->wait_log(qr/\[alert\].*was removed while/), 'said');
	ok($s->on_disk(waiting => 2), 'all that waits is there');

	$t->crash();
	$t->run();
	$s->did('hooks/ci/resume');
	ok($r->wait_requests(2), 'and sent after a crash');

	$s->done();
};

###############################################################################

subtest 'a full disk' => sub {
	my $s = WebhookTest::Store->new(store => 'keep=1h');

	mount($s->{dir}, 'size=2m,mode=700')
		or plan skip_all => 'no permission to mount';

	$s->{t}->run();
	$s->status('a', 'queued', launch => 1);
	ok($s->{r}->wait_requests(1), 'works');

	system("dd if=/dev/zero of=$s->{dir}/filler bs=4k count=1000"
		. " 2>/dev/null");

	# what the file has of its own is used up

	ok(wait_for(sub {
		$s->status('fill' . rand, 'queued', launch => 1, size => 100000);
		store_of($s)->{state} eq 'failing'
	}, 30), 'full');

	goes_on($s, 'full', 5, sub { unlink "$s->{dir}/filler" });

	$s->{t}->stop();
	unmount();
	$s->done();
};

###############################################################################

subtest 'a quota that is used up' => sub {
	WebhookTest::Faults::available()
		or plan skip_all => 'neither under a sanitizer nor linked in';

	my $s = WebhookTest::Store->new();
	my $f = WebhookTest::Faults->new($s->{t});

	$s->{t}->run();
	$s->status('a', 'queued', launch => 1);
	ok($s->rows(1, 'ended > 0'), 'works');

	$f->arm(pid => $s->holder(), kinds => SYSCALL, nth => 1, every => 1,
		only => 'pwrite64', errno => EDQUOT);

	goes_on($s, 'quota', 5, sub {
		like(store_of($s)->{error}, qr/quota exceeded/i, 'why');
		$f->disarm();
	});

	$s->done();
};

###############################################################################

# what gives way is what the file does not have as waiting

subtest 'a full disk and a full zone' => sub {
	my $s = WebhookTest::Store->new(zone => '1m');
	my ($t, $r) = @$s{qw/ t r /};

	mount($s->{dir}, 'size=8m,mode=700')
		or plan skip_all => 'no permission to mount';

	$t->run();
	$s->did('hooks/ci/pause');

	for my $i (1 .. 80) {
		$s->status("a$i", 'queued', launch => 1, size => 3000);
		ok($s->on_disk(waiting => $i), "$i wait") if $i % 20 == 0;
	}

	system("dd if=/dev/zero of=$s->{dir}/filler bs=4k count=4000"
		. " 2>/dev/null");

	ok(wait_for(sub {
		$s->status('fill' . rand, 'queued', launch => 1, size => 3000);
		store_of($s)->{state} eq 'failing'
	}, 30), 'full');

	my $sent = sub {
		wait_for {
			my ($h) = @{ $s->got('hooks')->json()->{hooks} };
			!$h->{waiting} && !$h->{in_flight}
		} 20;
	};

	$s->did('hooks/ci/resume');
	ok($sent->(), 'they are sent');

	$s->status("b$_", 'queued', launch => 1, size => 3000) for 1 .. 200;
	ok($sent->(), 'others, too');

	unlink "$s->{dir}/filler";
	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }, 20), 'well again');
	ok($s->on_disk(waiting => 0), 'all have ended there');

	$t->crash();
	$t->run();
	$s->status('c', 'queued', launch => 1);
	ok($s->rows(1, "execution = 'c' AND ended > 0"), 'after a crash');
	is($s->doubles($r->requests()), '', 'none comes again');

	$t->stop();
	unmount();
	$s->done();
};

###############################################################################

subtest 'a read-only directory' => sub {
	my $s = WebhookTest::Store->new(hook => 'retry 5s 5s 5s 5s;');
	my ($t, $r) = @$s{qw/ t r /};

	mount($s->{dir}, 'size=8m,mode=700')
		or plan skip_all => 'no permission to mount';

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status('before', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');
	$t->crash();

	$r->set('*' => { status => 204 });
	my $tried = $s->of('before', $r->requests());

	ok(wait_for(sub {
		!system("mount -o remount,ro $s->{dir} 2>/dev/null")
	}), 'read-only');
	$t->run();

	goes_on($s, 'ro', 5, sub { system("mount -o remount,rw $s->{dir}") });

	ok(wait_for(sub {
		$s->of('before', $r->requests()) > $tried
	}, 20), 'what waited before is sent');

	$t->stop();
	unmount();
	$s->done();
};

###############################################################################

subtest 'bounds' => sub {
	my $s = WebhookTest::Store->new(store => 'keep=1s');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	ok($r->wait_requests(10), 'delivered');

	ok(wait_for(sub {
		$s->sql('SELECT count(*) FROM deliveries') == 0
		&& $s->sql('SELECT count(*) FROM payloads') == 0
		&& $s->sql('SELECT count(*) FROM attempts') == 0
	}, 20), 'keep: gone after a while');
	is($s->sql('SELECT count(*) FROM states'), 10, 'states stay');

	$t->stop();
	$s->configure(store => 'size=16m');
	$t->run();

	$r->forget();

	for (1 .. 120) {
		$s->status("b$_", 'queued', launch => 1, size => 200000);
	}

	ok($r->wait_requests(120, 30), 'size: all are delivered');
	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }, 20), 'size: well');
	cmp_ok(-s "$s->{dir}/webhooks.db", '<=', 16 * 1024 * 1024,
		'size: kept');

	$s->done();
};

###############################################################################

subtest 'reloads' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();

	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;

	# another size of the zone, while deliveries wait

	$s->configure(zone => '4m');
	ok($t->reload(), 'another size') or diag($t->reload_error());

	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	$s->status("b$_", 'queued', launch => 1) for 1 .. 10;
	ok($s->on_disk(waiting => 20), 'all wait, known ones make no event');

	# not while some wait that are not on disk, nor with another file

	$t->allow(qr/cannot replace "webhooks"/);

	my $free = locked($s);

	$s->status('c', 'queued', launch => 1);
	ok(wait_for { store_of($s)->{state} eq 'failing' }, 'the disk refuses');
	$s->configure(zone => '8m');
	ok(!$t->reload(), 'another size - refused');
	like($t->reload_error(), qr/while 21 deliveries wait/, 'why');

	$free->();
	ok($s->on_disk(waiting => 21), 'it does no more');
	ok(wait_for { store_of($s)->{state} eq 'ok' }, 'well again');

	my $dir = $s->{dir};

	$s->configure(dir => "$dir.2");
	ok(!$t->reload(), 'and another directory - refused');
	$s->configure(dir => $dir);

	$r->forget();
	$r->set('*' => { status => 204 });
	$s->configure(zone => '8m');
	ok($t->reload(), 'and back');

	ok($r->wait_requests(21, 30), 'all arrive');
	ok($s->on_disk(waiting => 0), 'nothing waits');

	# no store any more, and again

	$s->configure(store => 'none');
	ok($t->reload(), 'no store');
	$r->forget();
	$s->status("d$_", 'queued', launch => 1) for 1 .. 10;
	ok($r->wait_requests(10), 'sent without one');

	$s->configure(store => '');
	ok($t->reload(), 'a store');
	$s->status("d$_", 'running') for 1 .. 10;
	ok($r->wait_requests(20), 'sent with one');
	ok(wait_for(sub { $s->sql('SELECT count(*) FROM states') == 31 }),
		'all is in it');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

###############################################################################

# an old worker waits for its disk when the store leaves the configuration, or
# goes elsewhere; what it hears then says nothing of the store that comes next

subtest 'an old disk' => sub {
	WebhookTest::Faults::available()
		or plan skip_all => 'neither under a sanitizer nor linked in';

	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $f = WebhookTest::Faults->new($t);
	my %disk = (kinds => SYSCALL, nth => 1, every => 1, only => 'fdatasync',
		hold => 1);

	$t->run();
	$s->status('a', 'queued', launch => 1);
	ok($s->rows(1, 'ended > 0'), 'works');

	# elsewhere

	my $old = $s->holder();

	$f->arm(pid => $old, %disk);
	$s->status('b', 'queued', launch => 1);
	ok(wait_for(sub { $f->held() }), 'the disk does not answer');
	ok(wait_for(sub { store_of($s)->{state} eq 'failing' }), 'it fails');
	ok($r->wait_requests(2), 'what waited for it is sent');

	$s->configure(dir => "$s->{dir}+");
	ok($t->reload(), 'another directory') or diag($t->reload_error());
	ok($s->rows(2, 'ended > 0'), 'gets all');
	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }), 'it is well');

	$t->mark_log();
	$f->release();
	ok(wait_for(sub { !$t->alive($old) }), 'the old worker ends');
	is($t->grep_log(qr/webhook_store .* fails/), 0, 'without a word');
	is(store_of($s)->{state}, 'ok', 'well still');

	# none

	$old = $s->holder();

	$f->arm(pid => $old, %disk);
	$s->status('c', 'queued', launch => 1);
	ok(wait_for(sub { $f->held() }), 'the disk does not answer');
	ok(wait_for(sub { store_of($s)->{state} eq 'failing' }), 'it fails');
	ok($r->wait_requests(3), 'what waited for it is sent');

	$s->configure(store => 'none');
	ok($t->reload(), 'no store');

	$f->release();
	ok(wait_for(sub { !$t->alive($old) }), 'the old worker ends');

	# the first refusal of what comes next is no long one

	my $free = locked($s);

	$f->disarm();
	$s->configure(store => '');
	ok($t->reload(), 'a store');
	ok($t->wait_log(qr/webhook_store .* fails: .*locked/), 'which is locked');

	my ($said) = $t->error_log() =~ /webhook_store .* fails: (.*locked.*)/;
	is($said, 'database is locked (5)', 'for now');

	$free->();
	ok($s->rows(3, 'ended > 0'), 'it gets all');

	$s->done();
};

###############################################################################

# a worker that has the lock and stands still is no disk that refuses, but what
# waits for it does not wait for ever

subtest 'a writer that stands still' => sub {
	my $s = WebhookTest::Store->new(hook => 'retry 1s;');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->status('a', 'queued', launch => 1);
	ok($s->rows(1, 'ended > 0'), 'works');

	my $writer = $s->holder();
	kill 'STOP', $writer;

	$s->status('b', 'queued', launch => 1);
	ok($r->wait_requests(2, 30) == 2, 'what waited for it is sent');
	is($t->grep_log(qr/\[error\].*worker process $writer, which writes, does/),
		1, 'said once');

	my $store = store_of($s);
	is($store->{state}, 'failing', 'and at the status endpoint');
	is($store->{unstored}, 1, 'counted');

	$s->status('c', 'queued', launch => 1);
	ok($r->wait_requests(3) == 3, 'so is what comes');

	kill 'CONT', $writer;

	ok($s->rows(3, 'ended > 0'), 'it goes on, and all is written');
	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }), 'it is well');

	$s->status('d', 'queued', launch => 1);
	ok($s->rows(4, 'ended > 0'), 'and on');

	$t->crash();
	$t->run();
	$s->status('e', 'queued', launch => 1);
	ok($s->rows(5, 'ended > 0'), 'after a crash');
	is(scalar $r->requests(), 5, 'each is sent');
	is($s->doubles($r->requests()), '', 'once');

	$s->done();
};

###############################################################################

# new workers cannot know why the one that ends has the lock

subtest 'no answer, and a reload' => sub {
	WebhookTest::Faults::available()
		or plan skip_all => 'neither under a sanitizer nor linked in';

	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $f = WebhookTest::Faults->new($t);

	$t->run();
	$s->status('a', 'queued', launch => 1);
	ok($s->rows(1, 'ended > 0'), 'works');

	my $old = $s->holder();

	$f->arm(pid => $old, kinds => SYSCALL, nth => 1, every => 1,
		only => 'fdatasync', hold => 1);
	$s->status('b', 'queued', launch => 1);
	ok(wait_for(sub { $f->held() }), 'the disk does not answer');
	ok($t->reload(), 'a reload');

	ok($r->wait_requests(2), 'what waited for it is sent');
	is(store_of($s)->{state}, 'failing', 'the store fails');

	$s->status('c', 'queued', launch => 1);
	ok($r->wait_requests(3), 'so is what comes');

	$f->disarm();
	$f->release();
	ok(wait_for(sub { !$t->alive($old) }), 'the old worker ends');
	ok($s->rows(3, 'ended > 0'), 'all is written');
	ok(wait_for(sub { store_of($s)->{state} eq 'ok' }), 'it is well');

	$s->done();
};

###############################################################################

subtest 'another binary' => sub {
	my $s = WebhookTest::Store->new(daemon => 1);
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	ok($s->on_disk(waiting => 10), 'all wait');

	my $old = $t->master_pid();
	ok($t->upgrade(), 'upgrade');
	$s->status("b$_", 'queued', launch => 1) for 1 .. 10;

	$r->forget();
	$r->set('*' => { status => 204 });

	kill 'QUIT', $old;

	ok($r->wait_requests(20, 30), 'all arrive');
	$s->status("a$_", 'running') for 1 .. 10;
	ok($r->wait_requests(30, 30), 'and what comes then');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

###############################################################################

# while both masters live, workers of the one that has the lock send alone,
# whoever saw the events

subtest 'two masters' => sub {
	my $s = WebhookTest::Store->new(daemon => 1,
		hook => 'max_in_flight 8; timeout 60s;');
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { hold => 1 });
	$t->run();

	$s->status("a$_", 'queued', launch => 1) for 1 .. 5;
	is($r->wait_requests(5), 5, 'in flight');

	my $master = $t->master_pid();
	my @old = $t->worker_pids();

	ok($t->upgrade(), 'upgrade');

	my @new = $t->worker_pids();
	my $both = 0;

	is(grep({ $t->alive($_) } @old), @old, 'old workers live');

	# until both have seen some

	my $n = 0;

	wait_for {
		$s->status('b' . $n++, 'queued', launch => 1);

		my %waiting = map { $t->get('/hooks/')->body() =~
			/"in_flight":(\d+)/ => 1 } 1 .. 8;

		$both = keys %waiting > 1;

		return $n >= 20 && $both;
	} 20;

	ok($both, 'two zones');

	is($r->wait_requests(8), 8, 'no more than max_in_flight');

	my %old = map { $_ => 1 } @old;
	my @from = $t->connected($r->port());

	ok(@from && !grep({ !$old{$_} } @from), 'from old workers alone')
		or diag("@from of @old");

	# what the others saw waits for them to go

	$r->set('*' => { status => 204 });
	$r->release();

	ok($s->on_disk(waiting => 0), 'they send what they have');
	cmp_ok(scalar $r->requests(), '<', 5 + $n, 'and nothing else');

	kill 'QUIT', $master;

	ok($r->wait_requests(5 + $n, 30) == 5 + $n, 'all arrive');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	ok(wait_for(sub { !grep { $t->alive($_) } @old }), 'old workers end');

	$r->set('*' => { hold => 1 });
	$s->status('c', 'queued', launch => 1);
	ok($r->wait_requests(6 + $n, 30) == 6 + $n, 'and what comes then');

	my %new = map { $_ => 1 } @new;
	is(grep({ $new{$_} } $t->connected($r->port())), 1,
		'from a new worker');

	$r->release();
	$s->done();
};

done_testing();

###############################################################################
