package Bench;

# What the parts of "make bench" share: rounds, medians, CPU time, wrk, tables.
#
#	$r = rounds(NAME => sub { {rate => , cpu => } }, ...): every sub once a
#		round, in turns forwards and backwards; {NAME => [results]}
#	middle(R, NAME, KEY): the median of its rounds
#	ratio(R, NAME, KEY, OTHER): the median of the rounds' ratios
#	cpu(PID ...): microseconds of CPU time used so far, by all threads
#	near(COMMAND), far(COMMAND): on the sender's core, on the other one
#	output(COMMAND): what it prints; dies if it fails
#	start(FILE, COMMAND): a process beside us, that ends with us;
#		finish(PID): its exit status, when it ends by itself
#	waiting(HOW): how many deliveries a drain sends, by "via" or built-in
#	wrk(URL, OPTIONS): {rate, cpu, p50, p99, p99.9 (microseconds)}
#	report(TEXT ...): printed, and for to_readme()
#	table([HEAD, ...], [CELL, ...] ...): that, in Markdown
#
# Environment: LONG=1, README=1, ROUNDS, WAITING, DURATION (seconds of wrk).

###############################################################################

use warnings;
use strict;

use POSIX qw/ WNOHANG /;
use Time::HiRes qw/ time /;

use WebhookTest;

use base qw/ Exporter /;
our @EXPORT = qw/ long seconds waiting rounds middle ratio cpu near far output
	start finish wrk table report per_second microseconds as_ratio bench /;

my %started;

###############################################################################

sub long { $ENV{LONG} }
sub seconds { $ENV{DURATION} || (long() ? 2 : 0.4) }
sub bench { repo('t/bench/' . $_[0]) }

# A drain is begun by a request, and its end is looked for, which is part of
# what is measured, as it is not of wrk's: it should not end in a tenth of a
# second.

sub waiting {
	my ($how) = @_;

	return $ENV{WAITING} if $ENV{WAITING};
	return 20000 if long();

	return $how && $how eq 'via' ? 12000 : 6000;
}

sub how_often { $ENV{ROUNDS} || 5 }

sub rounds {
	my @pairs = @_;
	my (@names, %run, %r);

	while (my ($name, $sub) = splice @pairs, 0, 2) {
		push @names, $name;
		$run{$name} = $sub;
	}

	for my $round (1 .. how_often()) {
		push @{ $r{$_} }, $run{$_}->() for @names;
		@names = reverse @names;
	}

	return \%r;
}

sub median {
	my @sorted = sort { $a <=> $b } @_;
	my $n = @sorted;

	return ($sorted[($n - 1) / 2] + $sorted[$n / 2]) / 2;
}

sub middle {
	my ($r, $name, $key) = @_;

	return median(map { $_->{$key} } @{ $r->{$name} });
}

sub ratio {
	my ($r, $name, $key, $other) = @_;

	return median(map { $r->{$name}[$_]{$key} / $r->{$other}[$_]{$key} }
		0 .. $#{ $r->{$name} });
}

###############################################################################

# as schedstat has it, in nanoseconds: what stat has are ticks of 10 ms

sub cpu {
	my $sum = 0;

	for my $pid (@_) {
		my @tasks = glob "/proc/$pid/task/*/schedstat";
		die "process $pid is gone\n" unless @tasks;

		$sum += (split ' ', read_file($_))[0] / 1000 for @tasks;
	}

	return $sum;
}

sub cores {
	chomp(my $cores = `nproc`);
	return $cores;
}

# the receiver, and what plays others' parts, keep away from the sender

sub near { return (cores() > 1 ? qw/ taskset -c 0 / : (), @_) }
sub far { return (cores() > 1 ? qw/ taskset -c 1 / : (), @_) }

sub output {
	my (@command) = @_;

	pipe my $read, my $write or die "pipe: $!\n";

	my $pid = launch($write, @command);
	close $write;

	local $/;
	my $said = <$read>;

	my $status = finish($pid);
	die "@command: $said\n" if $status != 0;

	return $said;
}

sub start {
	my ($log, @command) = @_;

	open my $f, '>', $log or die "$log: $!\n";

	return launch($f, @command);
}

sub launch {
	my ($out, @command) = @_;

	my $pid = fork();
	die "fork: $!\n" unless defined $pid;

	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $out;
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}

	$started{$pid} = $$;

	return $pid;
}

# the exit status of what ends by itself

sub finish {
	my ($pid) = @_;

	local $?;
	waitpid $pid, 0;
	delete $started{$pid};

	return $?;
}

END {
	my $status = $?;

	for my $pid (grep { $started{$_} == $$ } keys %started) {
		kill 'TERM', $pid;
		wait_for { waitpid($pid, WNOHANG) != 0 } 5
			or kill 'KILL', $pid;
	}

	$? = $status;
}

###############################################################################

sub wrk {
	my ($url, @options) = @_;

	my ($core) = grep { ref } @options;
	@options = grep { !ref } @options;

	my @times = times;
	my $said = output(($core || \&near)->('timeout', '--preserve-status',
		'-s', 'INT', seconds(), 'wrk', '-t1', '-c64', '-d', '1h', '-s',
		bench('wrk.lua'), @options, $url));
	my @after = times;

	die "wrk: $said" if $said !~ /^result (.*)/m;
	my %r = split ' ', $1;

	die "wrk: $said" if $r{errors} || !$r{requests};

	$r{rate} = $r{requests} / $r{seconds};
	$r{cpu} = ($after[2] + $after[3] - $times[2] - $times[3]) * 1e6
		/ $r{requests};

	return \%r;
}

###############################################################################

my $reported = '';

sub report {
	my $text = join '', @_;

	print $text;
	$reported .= $text;
}

sub to_readme {
	my $name = repo('README.md');
	my $text = read_file($name);

	$text =~ s/(<!-- make bench -->\n).*?(<!-- end -->)/$1\n$reported$2/s
		or die "$name has no place for it\n";

	write_file($name, $text);
}

###############################################################################

sub per_second {
	my $n = sprintf '%.0f', $_[0];
	1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
	return $n;
}

sub microseconds { return sprintf $_[0] < 100 ? '%.1f' : '%.0f', $_[0] }
sub as_ratio { return sprintf '%.2f', $_[0] }

sub table {
	my ($head, @rows) = @_;
	my @width;

	for my $row ($head, @rows) {
		for (0 .. $#$head) {
			$row->[$_] = '' unless defined $row->[$_];
			$width[$_] = length $row->[$_]
				if length $row->[$_] > ($width[$_] || 3);
		}
	}

	my $line = sub {
		my @cells = @_;
		my @formats = map { $_ ? "%$width[$_]s" : "%-$width[$_]s" }
			0 .. $#cells;

		return sprintf '| ' . join(' | ', @formats) . " |\n", @cells;
	};

	report $line->(@$head), '|', join('|', map {
		'-' x ($width[$_] + 1) . ($_ ? ':' : '-')
	} 0 .. $#width), "|\n", (map { $line->(@$_) } @rows), "\n";
}

###############################################################################

1;
