package WebhookTest::Unit;

# C programs that test rooms without a running nginx, under AddressSanitizer
# and UBSan.  Each check of a program prints one line.  With STORM they are told
# "much": those that know the word do more.

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

use File::Basename;
use File::Temp;
use Test::More;

use WebhookTest;

our @EXPORT = qw/ can_compile program /;

###############################################################################

my $out;
my @includes;
my $dir;

# whether there are headers of an nginx to compile with

sub can_compile {
	($out) = grep { -f "$_/ngx_auto_config.h" }
		map { dirname($_) } grep { $_ }
		@ENV{'WEBHOOK_MODULE', 'WEBHOOK_NGINX'}, repo('build/any');

	return 0 unless $out;

	# the tree that the build was configured in, and how it finds its headers

	my ($tree) = grep { -f "$_/src/core/nginx.h" }
		"$out/source", split ' ', slurp("$out/inputs");

	my %seen;
	@includes = grep { !$seen{$_}++ }
		map { m!^/! ? $_ : "$tree/$_" }
		slurp("$out/Makefile") =~ /-I *(\S+)/g;

	$dir = File::Temp->newdir();

	return 1;
}

# Compiles a program of t/unit, given by the name of its first file and those
# of others, or options of the compiler, and runs it.  The first file's comment says what it is linked
# with:
#
#	 * rooms: json_read json_escape json_pointer json_text
#	 * libs: curl

sub program {
	my ($name, @more) = @_;

	my $source = repo("t/unit/$name.c");
	my ($rooms) = slurp($source) =~ /^ \* rooms: (.*(?:\n \*        \S.*)*)$/m;
	my ($libs) = slurp($source) =~ /^ \* libs: (.*)$/m;
	my $program = "$dir/" . basename($name);

	$rooms =~ s/\n \*//g;

	my @command = ('cc', '-o', $program, '-g', '-O1', '-W', '-Wall',
		'-Werror', '-Wno-unused-parameter',
		'-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
		'-fno-omit-frame-pointer', "-DUNIT_DIR=\"" . repo('t') . '"',
		(map { "-I$_" } repo('src'), repo('t/unit'), @includes),
		$source, repo('t/unit/unit.c'), repo('t/unit/pool.c'),
		(map { /^-/ ? $_ : repo("t/unit/$_.c") } @more),
		(map { repo("src/ngx_http_webhook_$_.c") } split ' ', $rooms),
		(map { "-l$_" } split ' ', $libs || ''),
		'-ljansson', '-lcrypto', '-lpcre2-8', '-lm');

	my $said = run(@command);

	ok($? == 0, 'compiled') or return diag($said);

	$said = run($program, $ENV{STORM} ? 'much' : ());
	my $status = $?;

	for my $line (split /\n/, $said) {

		if ($line =~ /^(ok|not ok) - (.*)$/) {
			ok($1 eq 'ok', $2);

		} elsif ($line =~ /^# /) {
			diag($line);
		}
	}

	ok($status == 0, 'ended well') or diag($said);
}

sub run {
	my (@command) = @_;

	open my $f, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
		or die "sh: $!\n";
	my $said = do { local $/; <$f> };
	close $f;

	return $said;
}

sub slurp {
	my ($name) = @_;

	open my $f, '<', $name or return '';
	local $/;

	return scalar <$f>;
}

###############################################################################

1;

###############################################################################
