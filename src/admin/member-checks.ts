import { applyDecorators } from '@nestjs/common';
import { ArrayMaxSize, IsArray, IsInt, IsString, Matches, Max, MaxLength, Min, ValidateIf } from 'class-validator';

/** PATCH leaves alone what is absent; null is not absent. */
export const MayBeAbsent = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);

/** As MayBeAbsent, and null takes the value away. */
export const MayBeNull = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined && value !== null);

/** PostgreSQL cannot store U+0000 or half of a surrogate pair, and no name needs a control character. */
const storable = /^[^\p{Cc}\p{Cs}]*$/u;

export const IsText = (maxLength: number): PropertyDecorator =>
  applyDecorators(
    Matches(storable, { message: '$property must not contain control characters' }),
    MaxLength(maxLength),
    IsString(),
  );

export const IsTextList = (maxEntries: number, maxLength: number): PropertyDecorator =>
  applyDecorators(
    Matches(storable, { each: true, message: 'each value in $property must be text without control characters' }),
    MaxLength(maxLength, { each: true }),
    IsString({ each: true }),
    ArrayMaxSize(maxEntries),
    IsArray(),
  );

export const IsSeconds = (max: number): PropertyDecorator => applyDecorators(Max(max), Min(1), IsInt());
