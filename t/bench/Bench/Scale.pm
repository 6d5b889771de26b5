package Bench::Scale;

# CPU time per delivery (through "via", what is left is ours) as there is more:
# of executions that are known, of webhooks, of log, of what waits in the store.
# Lines that should be flat; drawn to scale.svg.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;
use Bench::Svg;

###############################################################################

my ($servers, @run, @charts);

sub run {
	(my $class, $servers) = @_;

	@run = @charts = ();

	executions();
	webhooks();
	log_entries();
	stored();

	my $r = rounds(@run);

	report "### Scale\n\n";

	table([ 'CPU us per delivery, via', 'how many', 'sending',
		'with its event' ], map {
			my $chart = $_;

			map { [ $chart->{title}, per_second($_), map {
				microseconds($_)
			} values_of($r, $chart, $_) ] } @{ $chart->{points} }
		} @charts);

	my $svg = svg('CPU us per delivery', map {
		my $chart = $_;
		my (@sending, @whole);

		for (@{ $chart->{points} }) {
			my ($cpu, $whole) = values_of($r, $chart, $_);
			push @sending, [ $_, $cpu ];
			push @whole, [ $_, $whole ];
		}

		{ title => $chart->{title}, lines => [ [ 'sending', @sending ],
			[ 'with its event', @whole ] ] }
	} @charts);

	my $kept = $ENV{README} ? 't/bench/scale.svg' : 'build/bench/scale.svg';

	write_file(repo($kept), $svg);
	report "![CPU time per delivery, as there is more]($kept)\n\n";

	$_->{drop}->() for @charts;
}

sub values_of {
	my ($r, $chart, $point) = @_;

	return map { middle($r, "$chart->{title} $point", $_) } qw/ cpu whole /;
}

sub add {
	my ($title, $n, $points, $make) = @_;

	my %s;

	for my $point (@$points) {
		my ($s, $hooks, $size) = $make->($point);

		$s{$point} = $s;

		# as much again each time, and few beside what is there

		push @run, "$title $point" => sub {
			drain($s, 'via', $hooks || 1, $size || '600', $n);
		};
	}

	push @charts, { title => $title, points => $points,
		drop => sub { $servers->drop($_) for values %s } };
}

sub executions {
	add('executions known', 2000, [ 1000, 10000, long() ? 1e6 : 1e5 ],
		sub {
			my $s = $servers->nginx($servers->server(
				$servers->location('via', 1, 1)
				. $servers->location('known', 0)));

			fill($s, '/known/short/launch', 'short', $_[0]);

			return $s;
		});
}

sub webhooks {
	add('webhooks', waiting(), [ 1, 10, 100, 1000 ], sub {
		my ($hooks) = @_;

		return ($servers->nginx($servers->server(
			$servers->location('via', $hooks, 1))), $hooks,
			$hooks == 1000 ? 'few' : '600');
	});
}

sub log_entries {
	add('entries in the log', 5000, [ 100, 10000,
		long() ? 100000 : () ], sub {
		my $s = $servers->nginx($servers->server(
			$servers->location('via', 1, 1)), log => $_[0]);

		drain($s, 'via', 1, 'short', $_[0]);

		return $s;
	});
}

sub stored {
	add('waiting in the store', waiting(), [ 1000, 10000, long() ? 1e6 : 1e5 ],
		sub {
			my $s = $servers->nginx($servers->server(
				$servers->location('via', 1, 1)
				. $servers->location('stopped', 1)),
				store => 'full', zone => '3072m');

			act($s, 'pause', 'stopped1');
			fill($s, '/stopped/short/launch', 'short', $_[0]);

			# these go out once the others are on disk

			drain($s, 'via', 1, '600', 200);

			return $s;
		});
}

###############################################################################

1;
