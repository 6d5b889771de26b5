package WebhookTest;

# The harness: a private nginx with the module, beside receivers and APIs of
# ours, in a temporary directory, on free ports.  Tests run side by side.
#
#	use WebhookTest;			# exports wait_for, read_file,
#						# write_file, json, repo
#	my $t = WebhookTest->new();		# workers => 2, daemon => 0,
#						# master => 1, modules => [.so],
#						# user => root
#	my $r = $t->receiver('ci');		# a WebhookTest::Peer
#	my $api = $t->example_api('api');
#
#	$t->http_config(<<'CONF');		# what stands in http {}
#	    server {
#	        listen 127.0.0.1:%%PORT_0%%;
#	        location /api/ { proxy_pass %%URL_api%%; }
#	    }
#	CONF
#
#	$t->run();
#	is($t->get('/api/projects/2001')->status, 200, 'proxied');
#	$t->done();				# stops, checks, done_testing
#
# In configurations: %%PORT_x%% (a free port, the same all over the test, where
# x is any word; requests go to PORT_0 unless told otherwise, a peer listens on
# that of its name), %%URL_name%% and %%HOST_name%% (of a peer), %%TESTDIR%%,
# %%CONF%% (the module's conf/); and in whole files, written with config(),
# %%GLOBALS%%, %%EVENTS%%, %%GLOBALS_HTTP%%.
#
# nginx:
#	config (TEXT), http_config (TEXT, main => '...' outside http)
#	test_config (TEXT in http), test_file (TEXT): nginx -t; (ok, what it
#		said)
#	run, stop, quit (graceful; true if it ended in time; wait_gone: after a
#		signal), crash (kill -9 of all; run() starts anew)
#	reload: true if new workers came; else reload_error() says why not
#	upgrade: USR2, with daemon => 1; old_master_pid
#	signal (NAME), reopen, master_pid, worker_pids, wait_workers
#	connected (PORT): pids of its workers, old ones too, that have a
#		connection to a port of this machine
#	kill_worker ([PID,] SIGNAL): on purpose, the check does not mind
#	error_log, access_log: texts so far
#	mark_log, grep_log (qr), wait_log (qr): the error log since the mark
#	allow (qr): such an alert may stand in the error log
#	url (URI, PORT), port (x), rss (PID): memory in KB
# requests, answered by Responses (WebhookTest/Client.pm):
#	get (URI, ...), head (URI, ...), post (URI, BODY, ...), request
#		(METHOD, URI, headers => [...], body => , host => , port => )
#	see (METHOD, URI, ...): a request, done when it stands in the access
#		log: a response is read after it was sent
#	connect (PORT): a client with keepalive; curl (arguments)
# files: dir, file (NAME, TEXT), cert (NAME, dns => [], ip => []): {cert, key,
#	ca}
# peers, the servers around nginx (WebhookTest/Peer.pm, what they can do:
# t/bin/peer, t/bin/example-api, t/bin/dns, t/bin/socks):
#	receiver (NAME, tls => {cert}, http2 => 1, rules => {PATH => ...},
#		fallback => {...}): answers 204, or as the query or a rule says
#	upstream (NAME, ...): the same; answers 404, leaves the query alone
#	example_api (NAME, token => , manual => 1, ...)
#	dns (NAME, names => {NAME => ADDRESS})
#	socks (NAME, users => {NAME => PASSWORD}): a proxy
#	blackhole: a port where connecting hangs
#   each has url (PATH), host, port, set (PATH => BEHAVIOUR | [...]), requests
#	(PATH), wait_requests (N, SECONDS, PATH), wait_request (SUB), forget,
#	events (NAME), stats, reset_stats, release (N), close_all, deafen,
#	listen, stop, start, command
# judge (LIBRARY, SECRET, REQUEST): '', or what a receiver's own library has
#	against it: standardwebhooks, svix, octokit, stripe
#
# Nothing sleeps but wait_for { condition } [seconds]: true as soon as the
# condition is, false when the time (10 s, longer under sanitizers) is over.
#
# Environment: WEBHOOK_NGINX, WEBHOOK_MODULE (empty: linked in),
# WEBHOOK_SANITIZE, WEBHOOK_VALGRIND, WEBHOOK_DEBUG (debug log), WEBHOOK_KEEP
# (the directory stays).

###############################################################################

use warnings;
use strict;

use Cwd qw/ abs_path /;
use Fcntl qw/ :flock /;
use File::Basename qw/ dirname /;
use File::Path qw/ remove_tree /;
use File::Temp qw/ tempdir /;
use IO::Handle;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use POSIX qw/ :sys_wait_h sigprocmask SIG_BLOCK SIG_UNBLOCK
	SIGINT SIGTERM SIGHUP /;
use Test::More ();
use Time::HiRes qw/ time /;

use WebhookTest::Client;
use WebhookTest::Peer;

use base qw/ Exporter /;
our @EXPORT = qw/ wait_for read_file write_file json repo /;

my $root = abs_path(dirname(__FILE__) . '/../..');

my $sanitize = $ENV{WEBHOOK_SANITIZE};
my $valgrind = $ENV{WEBHOOK_VALGRIND};
my $factor = $valgrind ? 10 : $sanitize ? 3 : 1;

my (@live, $interrupted);

# once: a second one would end the cleaning up

my @signals = qw/ INT TERM HUP PIPE /;

@SIG{@signals} = (sub {
	@SIG{@signals} = ('IGNORE') x @signals;
	$interrupted = 1;
	exit 130;
}) x @signals;

###############################################################################

sub new {
	my ($class, %o) = @_;

	my $binary = $ENV{WEBHOOK_NGINX} || '/usr/sbin/nginx';
	my $module = defined $ENV{WEBHOOK_MODULE} ? $ENV{WEBHOOK_MODULE}
		: "$root/build/ngx_http_webhook_module.so";

	my $self = bless {
		dir => tempdir('webhook-test-XXXXXXXX', TMPDIR => 1),
		owner => $$,
		binary => $binary,
		modules => [ @{ $o{modules} || [] }, $module || () ],
		workers => exists $o{workers} ? $o{workers} : 2,
		daemon => $o{daemon} || 0,
		master => exists $o{master} ? $o{master} : 1,
		connections => $o{connections} || 1024,
		user => $o{user} || 'root',
		env => $o{env} || {},
		ports => {},
		locks => [],
		peers => {},
		allowed => [],
		expected => {},
		log => '',
		log_offset => 0,
		noted => 0,
		workers_of => {},
		mark => 0,
		started => time,
	}, $class;

	push @live, $self;

	chmod 0755, $self->{dir};
	mkdir "$self->{dir}/$_"
		for qw/ body proxy fastcgi uwsgi scgi html logs /;

	return $self;
}

sub dir { $_[0]{dir} }
sub repo { return $root . (@_ ? "/$_[0]" : '') }

###############################################################################

# a condition, polled: the only place where anything sleeps

sub wait_for (&;$) {
	my ($condition, $timeout) = @_;

	my $until = time + ($timeout || 10) * $factor;
	my $pause = 0.002;

	for (;;) {
		my $value = $condition->();

		return $value if $value;
		return '' if time >= $until;

		select undef, undef, undef, $pause;
		$pause *= 1.5 if $pause < 0.05;
	}
}

sub read_file {
	my ($name) = @_;

	open my $f, '<:raw', $name or return '';
	local $/;
	my $text = <$f>;

	return defined $text ? $text : '';
}

sub write_file {
	my ($name, $text) = @_;

	open my $f, '>:raw', $name or die "$name: $!";
	print $f $text;
	close $f or die "$name: $!";

	return $name;
}

sub json {
	return JSON::PP->new->utf8->allow_nonref->decode($_[0]);
}

###############################################################################

# A port is ours while its lock file is locked; they lie below those that the
# kernel gives to clients.

sub port {
	my ($self, $name) = @_;

	return $self->{ports}{$name} ||= $self->reserve();
}

sub reserve {
	my ($self) = @_;

	my $dir = "/tmp/webhook-test-ports-$<";
	mkdir $dir, 0700;

	for (1 .. 1000) {
		my $port = 10000 + int rand 20000;

		open my $lock, '>>', "$dir/$port" or next;
		flock $lock, LOCK_EX | LOCK_NB or next;

		IO::Socket::INET->new(
			Proto => 'tcp', LocalAddr => '127.0.0.1',
			LocalPort => $port, Listen => 1, ReuseAddr => 1
		)
			or next;

		push @{ $self->{locks} }, $lock;

		return $port;
	}

	die "no free port\n";
}

sub expand {
	my ($self, $text) = @_;

	my %w = (
		TESTDIR => sub { $self->{dir} },
		CONF => sub { "$root/conf" },
		GLOBALS => sub { $self->globals() },
		EVENTS => sub {
			"events { worker_connections $self->{connections}; }"
		},
		GLOBALS_HTTP => sub { $self->globals_http() },
	);

	my $peer = sub {
		$self->{peers}{$_[0]} or die "no receiver or API $_[0]\n";
	};

	$text =~ s{%%(\w+)%%}{
		my $n = $1;

		$w{$n} ? $w{$n}->()
		: $n =~ /^PORT_(\w+)$/ ? $self->port($1)
		: $n =~ /^URL_(\w+)$/ ? $peer->($1)->url()
		: $n =~ /^HOST_(\w+)$/ ? $peer->($1)->host()
		: die "unknown %%$n%%\n";
	}ge;

	return $text;
}

sub globals {
	my ($self) = @_;

	my $level = $ENV{WEBHOOK_DEBUG} ? 'debug' : 'info';
	my $text = '';

	$text .= "load_module $_;\n" for @{ $self->{modules} };
	$text .= 'daemon ' . ($self->{daemon} ? 'on' : 'off') . ";\n";
	$text .= "master_process off;\n" unless $self->{master};
	$text .= "user $self->{user};\n" if $> == 0;
	$text .= "worker_processes $self->{workers};\n";
	$text .= "pid $self->{dir}/nginx.pid;\n";
	$text .= "error_log $self->{dir}/error.log $level;\n";
	$text .= "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n" if $sanitize;

	return $text;
}

sub globals_http {
	my ($self) = @_;

	my $dir = $self->{dir};

	return <<EOF;
root $dir/html;
access_log $dir/access.log;
client_body_temp_path $dir/body;
proxy_temp_path $dir/proxy;
fastcgi_temp_path $dir/fastcgi;
uwsgi_temp_path $dir/uwsgi;
scgi_temp_path $dir/scgi;
EOF
}

sub config {
	my ($self, $text) = @_;

	write_file("$self->{dir}/nginx.conf", $self->expand($text));

	return $self;
}

sub http_config {
	my ($self, $text, %o) = @_;

	return $self->config($self->whole($text, %o));
}

sub whole {
	my ($self, $text, %o) = @_;

	return "%%GLOBALS%%\n" . ($o{main} || '') . "\n%%EVENTS%%\n\n"
		. "http {\n%%GLOBALS_HTTP%%\n$text\n}\n";
}

# nginx -t with this inside http {}: (true if it passes, all that it said)

sub test_config {
	my ($self, $text, %o) = @_;

	return $self->test_file($self->whole($text, %o));
}

sub test_file {
	my ($self, $text) = @_;

	my $name = "$self->{dir}/test.conf";
	write_file($name, $self->expand($text));

	my ($status, $said) = $self->output($self->command('-t', '-c', $name,
		'-e', 'stderr'));

	return ($status == 0, $said);
}

# a program's exit status and all it wrote

sub output {
	my ($self, @command) = @_;

	local $?;

	my $pid = open my $f, '-|';
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>&', \*STDOUT;
		%ENV = (%ENV, $self->environment());
		exec @command or POSIX::_exit(127);
	}

	local $/;
	my $text = <$f>;
	close $f;

	return ($?, defined $text ? $text : '');
}

###############################################################################

sub command {
	my ($self, @arguments) = @_;

	my @command = ($self->{binary}, '-p', $self->{dir}, @arguments);

	unshift @command, 'valgrind', '-q', '--trace-children=yes',
		'--vgdb=no',		# whose pipes a worker may not remove
		'--log-file=' . "$self->{dir}/valgrind.%p",
		"--suppressions=$root/t/valgrind.suppress",
		'--error-exitcode=99', '--num-callers=30'
		if $valgrind;

	return @command;
}

sub environment {
	my ($self) = @_;

	my $log = "log_path=$self->{dir}/sanitizer";

	return (%{ $self->{env} }, !$sanitize ? () : (
		ASAN_OPTIONS => 'detect_odr_violation=0:detect_leaks=0:'
			. "abort_on_error=1:disable_coredump=0:$log",
		UBSAN_OPTIONS => "print_stacktrace=1:halt_on_error=0:$log",
	));
}

sub run {
	my ($self) = @_;

	die "$self->{binary} is missing\n" unless -x $self->{binary};

	for my $module (@{ $self->{modules} }) {
		die "$module is missing: make\n" unless -e $module;
	}

	unlink "$self->{dir}/nginx.pid", "$self->{dir}/nginx.pid.oldbin";
	$self->mark_log();

	$self->{running} = 1;

	# no signal between the process' birth and its entry in our book, which
	# is the pid file of a daemon

	my $signals = POSIX::SigSet->new(SIGINT, SIGTERM, SIGHUP);
	sigprocmask(SIG_BLOCK, $signals);

	my $pid = fork();

	$self->{child} = $pid unless $self->{daemon};
	sigprocmask(SIG_UNBLOCK, $signals) if !$pid || !$self->{daemon};

	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$self->{dir}/stderr";
		open STDERR, '>&', \*STDOUT;
		%ENV = (%ENV, $self->environment());
		exec $self->command('-c', "$self->{dir}/nginx.conf", '-e',
			"$self->{dir}/error.log") or POSIX::_exit(127);
	}

	my $gone;

	if ($self->{daemon}) {
		local $?;
		waitpid $pid, 0;
		$gone = $? != 0;
	}

	wait_for {
		local $?;
		$gone ||= $self->{child}
			&& waitpid($self->{child}, WNOHANG) != 0;

		return $gone || $self->up();
	} 20;

	sigprocmask(SIG_UNBLOCK, $signals);

	if ($gone) {
		delete $self->{child};
		$self->{running} = 0;
		die join "\n", 'nginx did not start: '
			. read_file("$self->{dir}/stderr"), $self->error_log(),
			$self->reports(), '';
	}

	die "nginx did not come up in time\n" unless $self->up();

	return $self;
}

sub up {
	my ($self) = @_;

	my $master = $self->master_pid() or return 0;

	return $self->is_up($master) unless $self->{master};

	return $self->worker_pids() == $self->{workers};
}

sub master_pid {
	my ($self) = @_;

	my $pid = read_file("$self->{dir}/nginx.pid");

	return $pid =~ /^(\d+)\n/ ? $1 : undef;
}

# of the processes that the master says it started as workers: those that have
# come up and were not told to go

sub worker_pids {
	my ($self) = @_;

	my $master = $self->master_pid() or return ();

	return $master unless $self->{master};

	$self->error_log();

	my $started = $self->{workers_of}{$master} || {};
	my @pids = sort { $a <=> $b }
		grep { $started->{$_} && $self->is_up($_) } keys %$started;

	return @pids;
}

# what lines of the log say of workers

sub note_workers {
	my ($self, $lines) = @_;

	while ($lines =~ /\ \[notice\]\ (\d+)\#\d+:\ (?:
		start\ worker\ process\ (\d+)
		|(gracefully\ shutting\ down|exiting))/gx)
	{
		if ($2) {
			$self->{workers_of}{$1}{$2} = 1;
			next;
		}

		for my $started (values %{ $self->{workers_of} }) {
			$started->{$1} = 0 if $started->{$1};
		}
	}
}

sub is_up {
	my ($self, $pid) = @_;

	return 0 unless $self->alive($pid);

	# nginx sets the title last; valgrind hides it, but not the epoll
	# descriptor, which only workers have

	return 1 if read_file("/proc/$pid/cmdline")
		=~ /^nginx: worker process(?! is shutting down)/;

	return 0 unless $valgrind || !$self->{master};

	return grep { (readlink($_) || '') =~ /eventpoll/ }
		glob "/proc/$pid/fd/*";
}

sub stopped {
	my ($self, $pid) = @_;

	return read_file("/proc/$pid/stat") !~ /^\d+ \(.*\) [^TZX] /;
}

sub children {
	my ($pid) = @_;

	return map { /^(\d+) \(.*\) \S $pid / ? $1 : () }
		map { read_file($_) } glob '/proc/[0-9]*/stat';
}

# a process whose first thread is a zombie keeps its sockets until the others
# have ended

sub alive {
	my ($self, $pid) = @_;

	return scalar grep { read_file($_) =~ /^\d+ \(.*\) [^ZX] / }
		glob "/proc/$pid/task/*/stat";
}

sub wait_workers {
	my ($self, $timeout) = @_;

	return wait_for { $self->up() } $timeout;
}

sub signal {
	my ($self, $signal) = @_;

	my $pid = $self->master_pid() or die "nginx does not run\n";

	return kill $signal, $pid;
}

# HUP: true once the new workers, and only they, accept connections

sub reload {
	my ($self, $timeout) = @_;

	my %old = map { $_ => 1 } $self->worker_pids();

	delete $self->{reload_error};
	$self->error_log();
	my $from = length $self->{log};

	$self->signal('HUP');

	my $done = wait_for {
		my $new = substr($self->error_log(), $from);

		if ($new =~ /(\[emerg\].*)/) {
			$self->{reload_error} = $1;
			return 1;
		}

		my @now = $self->worker_pids();

		return @now == $self->{workers} && !grep { $old{$_} } @now;
	} $timeout;

	$self->{reload_error} = 'no new workers in time' unless $done;

	return !$self->{reload_error};
}

sub reload_error { $_[0]{reload_error} }

sub reopen { $_[0]->signal('USR1') }

# USR2 (with daemon => 1): true once the new master's workers are up; then
# worker_pids are theirs, and old_master_pid is the other one

sub upgrade {
	my ($self, $timeout) = @_;

	my $old = $self->master_pid();

	$self->signal('USR2');

	return wait_for {
		my $pid = $self->master_pid();
		return $pid && $pid != $old && $self->up();
	} $timeout;
}

sub old_master_pid {
	my ($self) = @_;

	return read_file("$self->{dir}/nginx.pid.oldbin") =~ /^(\d+)/
		? $1 : undef;
}

# a worker killed on purpose; the pid

sub kill_worker {
	my ($self, @which) = @_;

	my $signal = pop @which || 'KILL';
	my $pid = @which ? $which[0] : ($self->worker_pids())[0];

	$self->{expected}{$pid} = 1;
	kill $signal, $pid;

	wait_for { !$self->alive($pid) };

	return $pid;
}

sub gone {
	my ($self) = @_;

	local $?;

	if (my $pid = $self->{child}) {
		if (waitpid($pid, WNOHANG) == $pid) {
			$self->{status} = $?;
			delete $self->{child};
		}

		return !$self->{child};
	}

	return !$self->{last_pid} || !$self->alive($self->{last_pid});
}

# graceful: true if all ended in time

sub quit {
	my ($self, $timeout) = @_;

	$self->{last_pid} = $self->master_pid();
	$self->signal('QUIT');

	return $self->wait_gone($timeout);
}

# after a signal of the test's own; true if all ended in time

sub wait_gone {
	my ($self, $timeout) = @_;

	my $done = wait_for { $self->gone() } $timeout;

	$self->{running} = 0 if $done;

	return $done;
}

# the end of nginx, in any case; graceful if it does not take long

sub stop {
	my ($self) = @_;

	return $self unless $self->{running};

	# one that was just begun tells its pid soon

	wait_for { $self->master_pid() } 3
		if $interrupted && $self->{daemon};

	my @masters = grep { defined } $self->master_pid(),
		$self->old_master_pid();

	@masters = $self->{child} || () unless @masters;

	for my $pid (@masters) {
		$self->{last_pid} = $pid;

		for my $try ([ 'QUIT', 3 ], [ 'TERM', 15 ], [ 'KILL', 5 ]) {
			my ($signal, $timeout) = @$try;

			if ($signal eq 'KILL') {
				$self->{stuck} = 1;
				kill 'KILL', $self->all_workers();
			}

			kill $signal, $pid;

			last if wait_for { $self->gone() } $timeout;
		}
	}

	if (my @left = $self->all_workers()) {
		$self->{stuck} = 1;
		kill 'KILL', @left;
	}

	$self->{running} = 0;

	return $self;
}

# all its processes killed at once, as by a power cut; run() starts anew

sub crash {
	my ($self) = @_;

	# one that the master has just begun is in no log yet

	my @pids = grep { defined } $self->master_pid(),
		$self->old_master_pid();

	kill 'STOP', @pids;
	wait_for { !grep { !$self->stopped($_) } @pids };

	push @pids, $self->all_workers(), map { children($_) } @pids;

	kill 'STOP', @pids;
	kill 'KILL', @pids;

	$self->{last_pid} = $pids[0];

	wait_for { $self->gone() && !grep { $self->alive($_) } @pids };

	$self->{running} = 0;

	return $self;
}

# what the log says was started by a master, and still has that log open

sub all_workers {
	my ($self) = @_;

	my %seen;

	return grep {
		!$seen{$_}++ && $self->alive($_) && grep {
			(readlink($_) || '') eq "$self->{dir}/error.log"
		} glob "/proc/$_/fd/*";
	} $self->error_log() =~ /: start (?:worker|cache \w+) process (\d+)/g;
}

# those of them that have a connection to this port

sub connected {
	my ($self, $port) = @_;

	my $hex = sprintf '%04X', $port;
	my @found = 'not looked for';
	my $before;

	# the kernel may skip some while others come and go

	do {
		$before = "@found";
		@found = sort { $a <=> $b } read_file('/proc/net/tcp')
			=~ /^\s*\d+: \S+ 0100007F:$hex 01 (?:\S+\s+){5}(\d+)/mg;
	} until "@found" eq $before;

	my %inodes = map { $_ => 1 } @found;

	return grep {
		grep {
			(readlink($_) || '') =~ /^socket:\[(\d+)\]/
				&& $inodes{$1}
		} glob "/proc/$_/fd/*";
	} $self->all_workers();
}

###############################################################################

# the error log so far

sub error_log {
	my ($self) = @_;

	open my $f, '<:raw', "$self->{dir}/error.log" or return $self->{log};

	seek $f, $self->{log_offset}, 0;

	local $/;
	my $more = <$f>;

	if (defined $more) {
		$self->{log_offset} += length $more;
		$self->{log} .= $more;

		my $end = rindex($self->{log}, "\n") + 1;

		$self->note_workers(substr($self->{log}, $self->{noted},
			$end - $self->{noted}));
		$self->{noted} = $end;
	}

	return $self->{log};
}

# lines since the last mark_log() that match

sub mark_log {
	my ($self) = @_;

	$self->{mark} = length $self->error_log();

	return $self;
}

sub grep_log {
	my ($self, $re) = @_;

	return grep { $_ =~ $re }
		split /\n/, substr($self->error_log(), $self->{mark});
}

sub wait_log {
	my ($self, $re, $timeout) = @_;

	return wait_for { scalar $self->grep_log($re) } $timeout;
}

sub access_log {
	my ($self) = @_;

	return read_file("$self->{dir}/access.log");
}

sub allow {
	my ($self, @re) = @_;

	push @{ $self->{allowed} }, @re;

	return $self;
}

###############################################################################

sub request {
	my ($self, $method, $uri, %o) = @_;

	my $c = $self->connect($o{port}, timeout => $o{timeout});

	return $c->request($method, $uri, close => 1, %o);
}

sub get {
	my ($self, $uri, %o) = @_;

	return $self->request('GET', $uri, %o);
}

sub head {
	my ($self, $uri, %o) = @_;

	return $self->request('HEAD', $uri, %o);
}

sub post {
	my ($self, $uri, $body, %o) = @_;

	return $self->request('POST', $uri, body => defined $body ? $body : '',
		%o);
}

sub see {
	my ($self, $method, $uri, %o) = @_;

	my $before = length $self->access_log();
	my $response = $self->request($method, $uri, %o);

	# a line may be there in part

	wait_for {
		substr($self->access_log(), $before) =~ /\ \Q$uri\E\ .*\n/
	};

	return $response;
}

sub connect {
	my ($self, $port, %o) = @_;

	$port = 0 unless defined $port;
	$port = $self->port($port) if $port !~ /^\d{4,}$/;

	return WebhookTest::Client->new(port => $port,
		timeout => ($o{timeout} || 10) * $factor);
}

sub curl {
	my ($self, @arguments) = @_;

	my $out = "$self->{dir}/curl";

	my ($status, $said) = $self->output('curl', '-sS', '--max-time',
		30 * $factor, '-D', "$out.head", '-o', "$out.body",
		@arguments);

	die "curl: $said\n" if $status != 0;

	my @heads = split /\r\n\r\n/, read_file("$out.head");

	return WebhookTest::Response->new($heads[-1],
		read_file("$out.body"));
}

###############################################################################

sub url {
	my ($self, $uri, $port) = @_;

	return 'http://127.0.0.1:' . $self->port(defined $port ? $port : 0)
		. $uri;
}

sub rss {
	my ($self, $pid) = @_;

	return read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub file {
	my ($self, $name, $text) = @_;

	return write_file("$self->{dir}/$name", $text);
}

# a certificate of the test's own authority: {cert, key, ca}, files

sub cert {
	my ($self, $name, %o) = @_;

	my $dir = "$self->{dir}/certs";

	my $openssl = sub {
		my ($status, $said) = $self->output('openssl', @_);
		die "openssl @_: $said\n" if $status != 0;
	};

	my @new = qw/ req -x509 -nodes -newkey ec
		-pkeyopt ec_paramgen_curve:P-256 -days 2 /;

	if (!-d $dir) {
		mkdir $dir;
		$openssl->(@new, '-subj', '/CN=Test authority',
			'-keyout', "$dir/ca.key", '-out', "$dir/ca.pem");
	}

	my $names = join ',', (map { "DNS:$_" } @{ $o{dns} || ['localhost'] }),
		map { "IP:$_" } @{ $o{ip} || ['127.0.0.1'] };

	my @signed = $o{self_signed} ? ()
		: ('-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key");

	$openssl->(@new, '-subj', "/CN=$name", '-addext',
		"subjectAltName=$names", '-addext',
		'basicConstraints=critical,CA:FALSE', @signed, '-keyout',
		"$dir/$name.key", '-out', "$dir/$name.pem");

	return { cert => "$dir/$name.pem", key => "$dir/$name.key",
		ca => "$dir/ca.pem" };
}

###############################################################################

sub peer {
	my ($self, $program, $name, %o) = @_;

	my $port = delete $o{port} || $self->port($name);

	my $rules = $o{rules} || {};
	$_ = ref $_ eq 'ARRAY' ? $_ : [ $_ ] for values %$rules;

	if ($o{tls}) {
		$o{tls} = { %{ $o{tls} } };
		delete $o{tls}{ca} unless delete $o{client_certificate};
	}

	return $self->{peers}{$name} = WebhookTest::Peer->new(
		program => "$root/t/bin/$program",
		base => "$self->{dir}/peer-$name",
		name => $name, port => $port, owner => $$,
		conf => { %o, rules => $rules },
	);
}

sub receiver {
	my ($self, $name, %o) = @_;

	$name = 'receiver' unless defined $name;

	return $self->peer('peer', $name, query => JSON::PP::true, %o);
}

sub upstream {
	my ($self, $name, %o) = @_;

	return $self->peer('peer', $name, fallback => { status => 404,
		body => 'no such thing' }, %o);
}

sub example_api {
	my ($self, $name, %o) = @_;

	$name = 'api' unless defined $name;

	return $self->peer('example-api', $name, %o);
}

# a name server, see t/bin/dns: dns('dns', names => {'a.test' => '127.0.0.1'});
# "resolver %%HOST_dns%%;"; it has set, stats, events

sub dns {
	my ($self, $name, %o) = @_;

	$name = 'dns' unless defined $name;

	return $self->peer('dns', $name, %o);
}

# a SOCKS proxy, see t/bin/socks: users => {NAME => PASSWORD}; it has events

sub socks {
	my ($self, $name, %o) = @_;

	return $self->peer('socks', $name, %o);
}

# a port that listens and whose queue is full: connecting to it hangs

sub blackhole {
	my ($self) = @_;

	my $port = $self->reserve();

	my $listen = IO::Socket::INET->new(
		Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => $port,
		Listen => 1, ReuseAddr => 1
	)
		or die "listen: $!";

	# the kernel takes one more than it was told

	my @full = map {
		IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
			PeerAddr => '127.0.0.1', PeerPort => $port)
	} 1 .. 4;

	push @{ $self->{locks} }, $listen, @full;

	return $port;
}

# what a library that receivers use (standardwebhooks svix octokit stripe) has
# to say against a request; '' is nothing

sub judge {
	my ($self, $library, $secret, $request) = @_;

	my $judge = $self->{judge} ||= $self->start_judge();

	print { $judge->{to} } JSON::PP->new->utf8->encode({
		library => $library, secret => $secret,
		body => MIME::Base64::encode_base64($request->body(), ''),
		headers => { map { lc $_->[0] => $_->[1] }
			$request->headers() },
	}), "\n";

	my $said = readline $judge->{from};
	die "t/node/judge.mjs ended\n" unless defined $said;

	return JSON::PP->new->utf8->allow_nonref->decode($said);
}

# one for all questions, as libraries take their time to load, and refuse what
# is old; it ends with its input

sub start_judge {
	my %judge;

	open2($judge{from}, $judge{to}, 'node', "$root/t/node/judge.mjs");
	$judge{to}->autoflush();

	return \%judge;
}

###############################################################################

# The checks that every test ends with.

sub done {
	my ($self, %o) = @_;

	$self->zone_check() if $self->{running}
		&& read_file("$self->{dir}/nginx.conf") =~ /\bwebhook_status\b/;
	$self->stop();
	$_->stop() for values %{ $self->{peers} };

	my @alerts = $self->alerts();
	my @reports = $self->reports();

	Test::More::ok(!$self->{stuck}, 'nginx ended');
	Test::More::is(scalar @alerts, 0, 'no alerts')
		or Test::More::diag(join "\n", @alerts);
	Test::More::is(scalar @reports, 0, 'no reports of memory errors')
		or Test::More::diag(join "\n", @reports);

	$self->cleanup();
	$self->{done} = 1;

	Test::More::done_testing() unless $o{more};
}

sub alerts {
	my ($self) = @_;

	my @bad;

	LINE: for (split /\n/, $self->error_log()) {
		next unless /\[(?:alert|crit|emerg)\]|Sanitizer|runtime\ error:
			|exited\ with\ code\ [1-9]/x;

		next if /(?:\ process|locked\ by)\ (\d+)(?:\ exited\ on\ signal|$)/x
			&& $self->{expected}{$1};

		for my $re (@{ $self->{allowed} }) {
			next LINE if $_ =~ $re;
		}

		push @bad, $_;
	}

	return @bad;
}

# what a sanitizer or valgrind wrote

sub reports {
	my ($self) = @_;

	my @reports = map { read_file($_) } glob "$self->{dir}/sanitizer.*";

	push @reports, grep { /\S/ } map { read_file($_) }
		glob "$self->{dir}/valgrind.*";

	my $stderr = read_file("$self->{dir}/stderr");
	push @reports, $stderr if $stderr =~ /Sanitizer|runtime error/;

	return map { substr $_, 0, 8000 } @reports;
}

# the module's own check of its shared memory, at every webhook_status with
# write=on that a stranger may see

sub zone_check {
	my ($self) = @_;

	for my $at ($self->status_locations()) {

		my $r = eval {
			$self->get("$at->{prefix}check", host => $at->{host},
				port => $at->{port},
				headers => [ 'X-Webhook-Write' => 1 ]);
		};

		next if $r ? $r->status =~ /^40[13]$/ : !$self->up();

		Test::More::is($r ? $r->status : 'no answer', 200,
			'zone is consistent')
			or Test::More::diag($r ? $r->body : $@);
	}
}

# {prefix (ending in /), host, port} of each, as far as nginx.conf itself says

sub status_locations {
	my ($self) = @_;

	my $conf = read_file("$self->{dir}/nginx.conf");
	my (@blocks, @found);

	$conf =~ s/^\s*#.*//mg;

	while ($conf =~ /((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.
		|[^;{}"'\\])*)([;{}])/gxs)
	{
		my ($words, $end) = ($1, $2);
		my ($name, @values) = split ' ', $words;
		my ($server) = grep { $_->{name} eq 'server' } reverse @blocks;

		if ($end eq '{') {
			push @blocks, { name => $name, value => $values[-1] };

		} elsif ($end eq '}') {
			pop @blocks;

		} elsif (!$server) {
			next;

		} elsif ($name eq 'listen' && "@values" !~ /^unix:|\bssl\b/) {
			$server->{port} ||= $1 if $values[0] =~ /(\d+)$/;

		} elsif ($name eq 'server_name') {
			$server->{host} ||= $values[0];

		} elsif ($name eq 'webhook_status') {
			my $prefix = $blocks[-1]{value};
			$prefix .= '/' unless $prefix =~ m!/$!;

			push @found, [ $server, $prefix ];
		}
	}

	return map { { %{ $_->[0] }, prefix => $_->[1] } }
		grep { $_->[0]{port} } @found;
}

sub cleanup {
	my ($self) = @_;

	if ($ENV{WEBHOOK_KEEP}) {
		Test::More::diag("kept $self->{dir}");
		return;
	}

	remove_tree($self->{dir});
}

END {
	my $status = $?;

	local @SIG{@signals} = ('IGNORE') x @signals;

	# where a signal came may have been within remove_tree(), which goes
	# into what it removes, or where $? is local

	chdir $root;
	$status = 130 if $interrupted;

	for my $self (grep { $_->{owner} == $$ && !$_->{done} } @live) {
		$self->stop();
		$_->stop() for values %{ $self->{peers} };

		my @tail = split /\n/, $self->error_log();
		splice @tail, 0, -20 if @tail > 20;
		Test::More::diag("not done; the error log ends:\n",
			join("\n", @tail, $self->reports()))
			if @tail && !$interrupted;

		$self->cleanup();
	}

	$? = $status;
}

###############################################################################

1;
