import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** From here on its colour says that it is time to look; the notice above the page comes later, at `diskWarnsFrom`. */
const highFrom = 0.8;

/** How much of the project's disk is in use, below its files. */
export function DiskUse() {
	const { state } = useWorkspace();
	const disk = useStore(state)?.disk;
	// Nothing was measured yet, or there is no limit.
	if (!disk?.limitBytes) return null;
	const share = Math.min(1, disk.usedBytes / disk.limitBytes);
	const [used, limit] = [sizeOf(disk.usedBytes), sizeOf(disk.limitBytes)];
	return (
		<div className="ide-disk" data-level={share >= highFrom ? "high" : "low"}>
			<p className="ide-disk-text" aria-hidden="true">
				<span>Disk</span>
				<span>
					{used} of {limit}
				</span>
			</p>
			<meter
				aria-label="Disk in use"
				aria-valuetext={`${used} of ${limit}`}
				max={1}
				value={share}
				title={`${used} of ${limit} in use (${Math.floor(share * 100)} %)`}
			/>
		</div>
	);
}

/** `340 KiB`, `12 MiB`, `1.5 GiB`: limits are powers of two. */
function sizeOf(bytes: number): string {
	const units = ["KiB", "MiB", "GiB", "TiB"];
	let size = bytes / 1024;
	let index = 0;
	// What would be rounded to 1024 is one of the next unit.
	while (size >= 1023.5 && index < units.length - 1) {
		size /= 1024;
		index += 1;
	}
	const shown = size < 9.95 && index > 0 ? Number(size.toFixed(1)) : Math.round(size);
	return `${shown} ${units[index]}`;
}
