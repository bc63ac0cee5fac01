/** How many versions are at hand at a time, being fetched or fetched, and for how long. */
export interface ShelfLimits {
	perPerson: number;
	perProject: number;
	/** Of these, how many may be there for people who only look: strangers must not keep a public project's owner out. */
	viewersPerProject: number;
	perNode: number;
	viewersPerNode: number;
	/** Fetches at a time; the others wait. Of these, how many may be those of people who only look. */
	fetches: number;
	viewersFetches: number;
	/** What all versions of a project may take together, in quotas of the project. */
	quotasPerProject: number;
	/** What all versions may take of the disk, and what they leave free. */
	shareOfDisk: number;
	shareLeftFree: number;
	/** One that nobody reads for so long is removed. */
	idleMs: number;
}

export const usualLimits: ShelfLimits = {
	perPerson: 4,
	perProject: 8,
	viewersPerProject: 4,
	perNode: 64,
	viewersPerNode: 32,
	fetches: 3,
	viewersFetches: 2,
	quotasPerProject: 3,
	shareOfDisk: 0.2,
	shareLeftFree: 0.05,
	idleMs: 10 * 60_000,
};
