import type { VersionId } from "@repldock/protocol";
import { type MenuEntry, toast } from "@repldock/ui";
import { FileArchive, FileBox } from "lucide-react";
import { problemOf } from "../connection/problem.ts";
import type { ExportChoice, Transfers } from "./transfers.ts";

/** What a project, or a version of it, can be exported as. */
export function exportEntries(transfers: Pick<Transfers, "save">, version?: VersionId): MenuEntry[] {
	const entry = (id: string, label: string, choice: ExportChoice): MenuEntry => ({
		id,
		label,
		icon: choice.format === "zip" ? <FileArchive aria-hidden /> : <FileBox aria-hidden />,
		onSelect: () => void saveOrTell(transfers, { ...choice, ...(version ? { version } : {}) }),
	});
	return [
		entry("zip", "Zip", { format: "zip", dependencies: true }),
		entry("zip-small", "Zip without dependencies", { format: "zip", dependencies: false }),
		"separator",
		entry("tar", "tar.zst", { format: "tar.zst", dependencies: true }),
		entry("tar-small", "tar.zst without dependencies", { format: "tar.zst", dependencies: false }),
	];
}

/** Says what is on its way, or why nothing is. */
export async function saveOrTell(transfers: Pick<Transfers, "save">, choice: ExportChoice): Promise<void> {
	try {
		const { name, files } = await transfers.save(choice);
		const count = files === 1 ? "1 file" : `${files.toLocaleString("en")} files`;
		toast({ title: `Saving ${name}`, detail: `${count}, packed while you go on.` });
	} catch (error) {
		toast({ title: "The project was not exported", detail: problemOf(error).detail, tone: "danger" });
	}
}
