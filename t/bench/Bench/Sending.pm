package Bench::Sending;

# Deliveries a second of one worker on one core, beside what wrk sends to the
# same receiver, and beside a bare program on libcurl.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

my %words = (
	'600' => '600 bytes', '600 tls' => '600 bytes, TLS',
	'6k' => '6 KB', '6k tls' => '6 KB, TLS',
	'builtin' => 'built-in', 'via' => 'via',
);

my (@run, @rows, $servers);

sub run {
	(my $class, $servers) = @_;

	@run = @rows = ();

	my @sizes = ('600', long() ? '6k' : ());
	my @kinds = ('600', '600 tls', '6k', long() ? '6k tls' : ());

	others($_) for @kinds;

	for my $how (qw/ builtin via /) {
		for my $kind (@kinds) {
			my ($size, $tls) = split ' ', $kind;

			ours("$words{$how}, $words{$kind}", 'off', $how,
				$how . ($tls || ''), 1, $size, "wrk $kind",
				$size eq '600' ? "same $kind" : ());
		}

		ours("$words{$how}, 600 bytes, 100 webhooks", 'off', $how,
			"many$how", 100, '600', 'wrk 600', 'same 600');

		for my $store (qw/ normal full /) {
			ours("$words{$how}, $words{$_}, store $store", $store,
				$how, $how, 1, $_, "wrk $_") for @sizes;
		}
	}

	my $r = rounds(@run);

	report "### Sending\n\n";

	table([ 'one worker on one core', 'deliveries/s', 'of wrk',
		'of libcurl with its headers', 'CPU us', 'with its event' ],
		map { row($r, @$_) } @rows);
}

sub row {
	my ($r, $text, $name, $wrk, $bare) = @_;

	return [
		$text, per_second(middle($r, $name, 'rate')),
		as_ratio(ratio($r, $name, 'rate', $wrk)),
		$bare ? as_ratio(ratio($r, $name, 'rate', $bare)) : '',
		microseconds(middle($r, $name, 'cpu')),
		$r->{$name}[0]{whole}
			? microseconds(middle($r, $name, 'whole')) : '',
	];
}

# wrk and the bare program

sub others {
	my ($kind) = @_;

	my ($size, $tls) = split ' ', $kind;
	my $url = $servers->url($tls || 'sink', '/');

	push @run, "wrk $kind" => sub {
		local $ENV{BODY} = $servers->body($size);
		return wrk($url);
	};

	push @rows, [ "wrk, $words{$kind}", "wrk $kind", "wrk $kind" ];

	return if $size ne '600';

	push @run, "wrk same $kind" => sub {
		local $ENV{BODY} = $servers->body($size);
		local $ENV{HEADERS} = bench('headers.txt');
		return wrk($url);
	};

	push @rows, [ 'wrk, the headers of a delivery', "wrk same $kind",
		"wrk $kind" ];

	push @run, "bare $kind" => sub { bare($url, waiting()) },
		"same $kind" => sub {
			local $ENV{HEADERS} = bench('headers.txt');
			return bare($url, waiting());
		};

	push @rows, [ "libcurl alone, $words{$kind}", "bare $kind",
		"wrk $kind" ],
		[ "libcurl alone, the headers of a delivery", "same $kind",
		"wrk $kind" ];
}

sub ours {
	my ($text, $store, $how, $name, $hooks, $size, @beside) = @_;

	my $n = waiting($how);

	$n /= 2 if $size eq '6k';

	push @run, $text => sub {
		return drain($servers->sender($store), $name, $hooks, $size,
			$n);
	};

	push @rows, [ $text, $text, @beside ];
}

sub bare {
	my ($url, $n) = @_;

	my ($done, $took, $cpu) = split ' ', output(near(
		repo('build/bench/curl'), $url, $servers->body('600'), $n,
		$servers->ca()));

	return { rate => $done / $took, cpu => $cpu * 1e6 / $done };
}

###############################################################################

1;
