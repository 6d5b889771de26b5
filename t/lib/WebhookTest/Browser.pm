package WebhookTest::Browser;

# Visits to the page in Chromium: programs in t/node that say what they saw.
#
#	use WebhookTest::Browser;	# skips the test without Chromium
#	my %saw = visit($t, 'page.js', { what the visit needs },
#		stop => sub { ... });	# when it says "do stop"
#
# The program gets url, dir and chromium besides.  $saw{status} is its exit
# status, $saw{failed} why.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More ();

use WebhookTest;

use base qw/ Exporter /;
our @EXPORT = qw/ visit /;

my ($chromium) = grep { -x } qw! /usr/bin/chromium !;

sub import {
	Test::More::plan(skip_all => 'no chromium') unless $chromium;
	Test::More::plan(skip_all => 'under valgrind')
		if $ENV{WEBHOOK_VALGRIND};

	__PACKAGE__->export_to_level(1, @_);
}

sub visit {
	my ($t, $program, $spec, %do) = @_;

	my $file = $t->file("$program.json", JSON::PP->new->utf8->encode({
		url => 'http://localhost:' . $t->port(0),
		chromium => $chromium, dir => $t->dir, %$spec,
	}));

	my %saw;

	open my $f, '-|', 'node', repo("t/node/$program"), $file
		or die "node: $!\n";

	while (my $line = <$f>) {
		chomp $line;

		if ($line =~ /^do (\w+)$/) {
			$do{$1}->();
			next;
		}

		if ($line =~ /^(\w+) (.*)$/) {
			$saw{$1} = $2;
			next;
		}

		Test::More::diag($line);
	}

	{
		local $?;

		close $f;
		$saw{status} = $?;
	}

	Test::More::is($saw{failed}, undef, "$program - went through");

	return %saw;
}

1;

###############################################################################
