import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { type ObjectStore, objectLocation, objectOptions, openObjectStore, parseLocation } from "@repldock/objects";
import { readConfig } from "@repldock/service";
import { type Settings, UsageError } from "../settings.ts";

/**
 * The instance's own object store, and the one that a backup lies in.
 * @param location as typed after `option`; the instance's own store when nothing was.
 */
export async function openStores(
	settings: Settings,
	option: "--to" | "--from",
	location: string | undefined,
): Promise<{ own: () => Promise<ObjectStore>; backups: ObjectStore; areSame: boolean }> {
	const config = readConfig(objectOptions, settings.environment);
	const ownLocation = objectLocation(config, settings.data);
	let chosen = ownLocation;
	if (location !== undefined) {
		try {
			chosen = parseLocation(location);
		} catch (error) {
			throw new UsageError(`${option} ${location} ${error instanceof Error ? error.message : "is not valid"}.`);
		}
	}
	// To look for backups in a folder that is not there must not make it.
	if (option === "--from" && chosen.kind === "folder" && !existsSync(chosen.path)) {
		throw new Error(`There is no folder ${chosen.path}. Is its disk mounted?`);
	}
	return {
		own: () => openObjectStore(ownLocation, config),
		backups: await openObjectStore(chosen, config),
		areSame: isDeepStrictEqual(chosen, ownLocation),
	};
}
