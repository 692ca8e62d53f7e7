import { api, call, type Schemas } from '$lib/api/client';

export type Job = Schemas['Job'];
export type JobOrder = Omit<Schemas['KeyJobOrder'], 'filter' | 'key_identifiers'>;

const EVERY_MS = 300;
const TRIES = 20;

/** The job that one has begun: how far it is, and the way back. */
export class RunningJob {
	job: Job | undefined = $state.raw();
	/** Nobody hears of a job any more that has been left. */
	#run = 0;

	constructor(private readonly onended: () => void) {}

	get isRunning(): boolean {
		return this.job?.stage === 'waiting' || this.job?.stage === 'running';
	}

	/**
	 * Shows a job that has begun and follows it to its end.
	 *
	 * @throws {ApiError} if it could not begin
	 */
	async follow(beginning: Promise<Job>): Promise<void> {
		this.job = await beginning;
		this.#run += 1;
		void this.#watch(this.#run);
	}

	/** @throws {ApiError} */
	async cancel(): Promise<void> {
		if (!this.job) return;
		await call(api.POST('/api/jobs/{id}/cancel', { params: { path: { id: this.job.id } } }));
	}

	/** @throws {ApiError} */
	async undo(): Promise<void> {
		if (!this.job) return;
		const path = { id: this.job.id };
		await this.follow(call(api.POST('/api/jobs/{id}/undo', { params: { path } })));
	}

	leave(): void {
		this.#run += 1;
		this.job = undefined;
	}

	async #watch(run: number): Promise<void> {
		for (let failed = 0; this.#run === run && this.isRunning && failed < TRIES; ) {
			await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
			try {
				const read = await readJob(this.job?.id ?? '');
				if (this.#run === run) this.job = read;
				failed = 0;
			} catch {
				failed += 1;
			}
		}
		if (this.#run === run) this.onended();
	}
}

/** How far a job is. */
function readJob(id: string): Promise<Job> {
	return call(api.GET('/api/jobs/{id}', { params: { path: { id } } }));
}

/** Follows a job to its end, for those who only want to know what came of it. */
export async function ended(beginning: Promise<Job>): Promise<Job> {
	let job = await beginning;
	while (job.stage === 'waiting' || job.stage === 'running') {
		await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
		job = await readJob(job.id);
	}
	return job;
}
