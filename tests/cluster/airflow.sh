#!/bin/sh
# Run an exported DAG in Airflow itself, in an environment of its own; takes some ten minutes, most of it installing and
# waiting for retries. Usage: tests/cluster/airflow.sh PYTHON WORK_FOLDER, in a project that declares a schedule with two
# retries for finance; PYTHON is the interpreter of the project.
set -eu
python=$1
mkdir -p "$2"
work=$(cd "$2" && pwd)

"$python" -m venv "$work/airflow"
"$work/airflow/bin/pip" install --quiet 'apache-airflow>=3.3,<4'

# In place of the project's interpreter: notes the start, ends with a given code.
cat > "$work/stand-in" <<END
#!/bin/sh
echo "\$*" >> '$work/starts'
exit "\$(cat '$work/code')"
END
chmod +x "$work/stand-in"
"$python" -m kedro schedule export airflow --out "$work/dags" --vertical finance --python "$work/stand-in"

export AIRFLOW_HOME="$work/home" AIRFLOW__CORE__DAGS_FOLDER="$work/dags" AIRFLOW__CORE__LOAD_EXAMPLES=False
unset PYTHONPATH
PATH="$work/airflow/bin:$PATH"
airflow db migrate > "$work/migrate.log" 2>&1
# Done; wrong for good, so not retried; failed, so retried twice.
for expected in '0 1' '2 1' '1 3'; do
  echo "${expected% *}" > "$work/code"
  : > "$work/starts"
  airflow dags test lepton_retrain_finance > "$work/test-${expected% *}.log" 2>&1 && ended=0 || ended=$?
  starts=$(wc -l < "$work/starts")
  echo "exit code ${expected% *} of the job: Airflow ended with $ended after $starts starts"
  [ "$starts" -eq "${expected#* }" ]
  [ "$((ended != 0))" -eq "$((${expected% *} != 0))" ]
done
