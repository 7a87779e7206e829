{{ config(materialized='view', bind=False) }}
select customer from {{ ref('by_customer') }}
