import { hasUnsavedEdits } from "./base.ts";
import { listJournals, readJournal } from "./journal.ts";

/** Whether any journal in the directory holds edits that are in no file. */
export async function holdsUnsavedEdits(directory: string): Promise<boolean> {
	for (const file of await listJournals(directory)) {
		const journal = await readJournal(file);
		if (journal && hasUnsavedEdits(journal)) return true;
	}
	return false;
}
