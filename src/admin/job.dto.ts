import { Transform } from 'class-transformer';
import { IsIn, IsInt, Max, Min } from 'class-validator';
import { jobStates, type JobState, type JobView } from '../platform/queue/job-queue.js';
import { WholeNumber } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';

export class JobQuery {
  /** One of them, or several with commas between; all that are not completed when absent. */
  @MayBeAbsent()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value))
  @IsIn(jobStates, { each: true })
  state?: JobState[];

  @MayBeAbsent()
  @WholeNumber()
  @Max(1000)
  @Min(1)
  @IsInt()
  limit?: number = 100;
}

export class RunJob {
  /** Of a regular job, such as `expiry-sweep`. */
  @IsText(100)
  name: string;
}

export const toJobView = (job: JobView) => ({
  id: job.id,
  name: job.name,
  state: job.state,
  data: job.data,
  attempts_made: job.attemptsMade,
  attempts: job.attempts,
  last_error: job.lastError,
  created_at: job.createdAt.toISOString(),
  run_at: job.runAt?.toISOString(),
});
