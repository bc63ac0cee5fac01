import { runCommand } from "@repldock/service";
import { giveBackShared, holdShared } from "./shared-settings.ts";

/**
 * Limits of the kernel that one user of the machine has for all programs. Containers share the user that they are mapped
 * to, and what they hold of inotify counts as root's: without care one container could take all of it, from the others
 * and from the machine itself. So the shared limits are raised to where a container's memory, which all of this counts
 * against, is the bound; and inotify, whose limits user namespaces have of their own, is bounded for each container.
 */
const wanted: Readonly<Record<string, number>> = {
	"/proc/sys/fs/inotify/max_user_instances": 1_048_576,
	"/proc/sys/fs/inotify/max_user_watches": 268_435_456,
	"/proc/sys/fs/epoll/max_user_watches": 268_435_456,
	// Pages that one user's pipes may hold before new ones are made tiny; 0 is no limit.
	"/proc/sys/fs/pipe-user-pages-soft": 0,
	// Each container has a keyring of its own; its programs cannot make further ones.
	"/proc/sys/kernel/keys/maxkeys": 100_000,
	"/proc/sys/kernel/keys/maxbytes": 25_000_000,
	// No limit, but the machine's too: the kernel counts the bytes of each connection, which owners are shown.
	"/proc/sys/net/netfilter/nf_conntrack_acct": 1,
};

/** Of the machine, not of one instance; it is gone after a restart of the machine, as the limits are. */
export const sharedLimitsDirectory = "/run/repldock/limits";

/** What one container may hold of inotify: plenty for editors' servers and bundlers that watch a whole project. */
const perContainer = { max_inotify_instances: 256, max_inotify_watches: 131_072 };

/** Raises what all containers share. Repeating it is harmless. Parameters as of `holdShared`. */
export const raiseSharedLimits = (directory: string, instance: string) => holdShared(directory, instance, wanted);

/** Puts back what was raised once no instance needs it any more. Harmless when this one needed nothing. */
export const restoreSharedLimits = (directory: string, instance: string) => giveBackShared(directory, instance, wanted);

/**
 * Bounds what one container takes of the shared limits. Programs cannot raise it: that needs a right which they lack.
 * @param pid host process id of the container's init.
 */
export async function boundContainer(pid: number): Promise<void> {
	const script = Object.entries(perContainer).map(([name, value]) => `echo ${value} > /proc/sys/user/${name}`);
	await runCommand("nsenter", ["--user", `--target=${pid}`, "--", "/bin/sh", "-ec", script.join("\n")]);
}
