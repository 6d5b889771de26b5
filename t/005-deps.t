#!/usr/bin/perl

# t/bin/deps: what it asks apt for, as root and not, and when another apt is at
# work; with programs in the place of Debian's.

###############################################################################

use warnings;
use strict;

use File::Temp qw/ tempdir /;
use Test::More;

use WebhookTest;

###############################################################################

my $dir = tempdir(CLEANUP => 1);
mkdir "$dir/bin";

program('dpkg-query', 'case " $* " in *" gcc "*) exit 1 ;; esac',
	'echo install ok installed');
program('node', '');
program('npm', '');
program('id', 'echo ${USER_ID:-0}');
program('sudo', 'echo "sudo $*" >> "$DIR/sudo"', 'exec "$@"');
program('sleep', '');

# busy for so many calls as there are lines in the file

program('apt-get',
	'echo "$DEBIAN_FRONTEND $*" >> "$DIR/calls"',
	'case "$*" in *update*) ;; *) exit 0 ;; esac',
	'test -f "$DIR/broken" && { echo "E: no such mirror" >&2; exit 100; }',
	'test -s "$DIR/busy" || exit 0',
	'sed -i 1d "$DIR/busy"',
	'echo "E: Could not get lock /var/lib/apt/lists/lock." >&2',
	'exit 100');

my $install = qr/noninteractive .*-y .*--no-install-recommends install gcc\n/;

my ($status, $said) = deps();
is($status, 0, 'installs');
like($said, qr/^installing: gcc\n/, 'says what');
like(read_file("$dir/calls"), qr/\A.* update\n$install\z/,
	'what is missing, after an update');
like(read_file("$dir/calls"), qr/ -o DPkg::Lock::Timeout=\d+ .*install/,
	'waits for another apt that installs');
ok(!-e "$dir/sudo", 'root needs no sudo');

($status, $said) = deps(USER_ID => 1000);
is($status, 0, 'another user');
is(() = read_file("$dir/sudo") =~ /apt-get/g, 2, 'another user by sudo');
like(read_file("$dir/calls"), qr/$install\z/, 'another user asks no questions');

write_file("$dir/busy", "1\n2\n3\n");
($status, $said) = deps();
is($status, 0, 'lists in use');
is(() = read_file("$dir/calls") =~ / update\n/g, 4, 'lists in use, tried again');
like(read_file("$dir/calls"), qr/$install\z/, 'lists in use, installs');
unlike($said, qr/Could not/, 'lists in use is no error');

write_file("$dir/busy", "\n" x 1000);
($status, $said) = deps();
isnt($status, 0, 'lists in use for ever');
like($said, qr/Could not get lock/, 'lists in use for ever, says so');
unlink "$dir/busy";

write_file("$dir/broken", '');
($status, $said) = deps();
isnt($status, 0, 'no update');
like($said, qr/no such mirror/, 'no update, says why');
is(() = read_file("$dir/calls") =~ /\n/g, 1, 'no update, not tried again');

done_testing();

###############################################################################

sub program {
	my ($name, @lines) = @_;

	chmod 0755, write_file("$dir/bin/$name", join "\n", '#!/bin/sh', @lines,
		'');
}

sub deps {
	my (%environment) = @_;

	unlink "$dir/calls", "$dir/sudo";

	local %ENV = (%ENV, DIR => $dir, PATH => "$dir/bin:$ENV{PATH}",
		%environment);
	my $said = join '', `${\ repo('t/bin/deps')} demo 2>&1`;

	return ($?, $said);
}

###############################################################################
