package Bench::Svg;

# Lines that should be flat, drawn: a small chart for each, side by side.
#
#	svg (UNIT, {title => , lines => [[NAME, [X, Y], ...], ...]}, ...):
#		the text of the file; X is logarithmic, Y begins at 0

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;
our @EXPORT = qw/ svg /;

###############################################################################

my ($width, $height, $left, $top, $gap) = (210, 130, 44, 34, 30);
my @colours = ('#1f6feb', '#d1242f', '#1a7f37');

sub svg {
	my ($unit, @charts) = @_;

	my $all = $left + @charts * ($width + $gap);
	my $high = $top + $height + 44;
	my $n = 0;

	return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"$all\""
		. " height=\"$high\" font-family=\"sans-serif\""
		. " font-size=\"11\">\n<rect width=\"100%\""
		. " height=\"100%\" fill=\"#ffffff\"/>\n"
		. join('', map { chart($unit, $n++, $_) } @charts)
		. "</svg>\n";
}

sub chart {
	my ($unit, $n, $chart) = @_;

	my @points = map { @$_[1 .. $#$_] } @{ $chart->{lines} };
	my @x = sort { $a <=> $b } map { $_->[0] } @points;
	my ($least, $most) = @x[0, -1];
	my ($highest) = sort { $b <=> $a } map { $_->[1] } @points;

	my $step = step($highest);
	my $limit = $step * (int($highest / $step) + 1);
	my $span = log($most / $least) || 1;
	my $x0 = $left + $n * ($width + $gap);
	my $bottom = $top + $height;

	my $x = sub { $x0 + 8 + ($width - 40) * log($_[0] / $least) / $span };
	my $y = sub { $bottom - $height * $_[0] / $limit };

	my $out = text($x0, 16, $chart->{title}, 'font-weight="bold"')
		. ($n ? '' : text($x0 - 4, 29, $unit, 'fill="#57606a"'));

	for (my $at = 0; $at <= $limit; $at += $step) {
		my $level = $y->($at);

		$out .= sprintf '<path d="M%d %.1fh%d" stroke="#d0d7de"/>'
			. "\n", $x0, $level, $width - 24;
		$out .= text($x0 - 5, $level + 4, $at,
			'text-anchor="end" fill="#57606a"');
	}

	my %seen;

	for (grep { !$seen{$_}++ } map { $_->[0] } @points) {
		$out .= text($x->($_), $bottom + 15, power($_),
			'text-anchor="middle" fill="#57606a"');
	}

	my $i = 0;

	for (@{ $chart->{lines} }) {
		my ($name, @at) = @$_;
		my $colour = $colours[$i];

		$out .= sprintf '<polyline fill="none" stroke="%s" '
			. 'stroke-width="2" points="%s"/>' . "\n", $colour,
			join ' ', map {
				join ',', map { sprintf '%.1f', $_ }
					$x->($_->[0]), $y->($_->[1])
			} @at;

		$out .= sprintf '<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>'
			. "\n", $x->($_->[0]), $y->($_->[1]), $colour for @at;

		$out .= text($x0 + 90 * $i, $bottom + 34, $name,
			"fill=\"$colour\"");
		$i++;
	}

	return $out;
}

sub step {
	my ($highest) = @_;

	my $ten = 10 ** int(log($highest) / log(10));

	return $highest / $ten < 2 ? $ten / 2 : $highest / $ten < 5 ? $ten
		: 2 * $ten;
}

sub power {
	my ($n) = @_;

	return $n >= 1e6 ? $n / 1e6 . 'M' : $n >= 1e3 ? $n / 1e3 . 'k' : $n;
}

sub text {
	my ($x, $y, $text, $more) = @_;

	return sprintf "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", $x, $y,
		$more, $text;
}

###############################################################################

1;
