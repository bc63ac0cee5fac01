/** When a deleted project is removed for good. */
export function purgeTime(deletedAt: Date, trashTimeMs: number): Date {
	return new Date(deletedAt.getTime() + trashTimeMs);
}
