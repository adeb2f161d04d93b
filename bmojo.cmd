@echo off
rem Starts bmojo on Windows: finds a JDK 25, builds when sources changed since the last build, runs.
rem
rem   bmojo --help
rem
rem   BMOJO_JAVA   a JDK 25's folder, where the usual places do not have one
rem   BMOJO_OPTS   options for java; the default heap is -Xmx2g
rem   BMOJO_CUDA   not empty: build and run with libtorch's CUDA build (1.3 GB)
setlocal EnableExtensions DisableDelayedExpansion
set "root=%~dp0"
if "%root:~-1%"=="\" set "root=%root:~0,-1%"

rem ---- A JDK 25 ---------------------------------------------------------------------------------
set "jdk="
if not defined BMOJO_JAVA goto search
call :try "%BMOJO_JAVA%"
if defined jdk goto found
echo bmojo: BMOJO_JAVA=%BMOJO_JAVA% is not a JDK 25; expected its folder, with bin\javac.exe in it.>&2
exit /b 1

:search
if defined JAVA_HOME call :try "%JAVA_HOME%"
for /f "delims=" %%J in ('where java 2^>nul') do call :try "%%~dpJ.."
for %%R in ("%ProgramFiles%\Eclipse Adoptium" "%ProgramFiles%\Java" "%ProgramFiles%\Microsoft" "%ProgramFiles%\Amazon Corretto" "%ProgramFiles%\Zulu" "%ProgramFiles%\BellSoft" "%LOCALAPPDATA%\Programs\Eclipse Adoptium" "%USERPROFILE%\.jdks" "%USERPROFILE%\.gradle\jdks" "%USERPROFILE%\.sdkman\candidates\java" "%USERPROFILE%\scoop\apps\temurin25-jdk") do (
  for /d %%D in ("%%~R\*") do call :try "%%~D"
)
if exist "%USERPROFILE%\.m2\toolchains.xml" (
  for /f "tokens=3 delims=<>" %%H in ('findstr /c:"<jdkHome>" "%USERPROFILE%\.m2\toolchains.xml"') do call :try "%%H"
)
if defined jdk goto found
echo bmojo: no JDK 25 found in JAVA_HOME, on the PATH or in the usual folders; bmojo needs exactly 25.>&2
echo bmojo: Get one from https://adoptium.net or with "winget install EclipseAdoptium.Temurin.25.JDK">&2
echo bmojo: and, if it lies somewhere unusual, set BMOJO_JAVA to its folder.>&2
exit /b 1

rem Every JDK has a file "release" that names its version. The first one found is kept.
:try
if defined jdk exit /b 0
if not exist "%~1\bin\javac.exe" exit /b 0
findstr /r /c:"^JAVA_VERSION=.25[^0-9]" "%~1\release" >nul 2>&1 && set "jdk=%~1"
exit /b 0

rem ---- The build --------------------------------------------------------------------------------
:found
set "engine=cpu"
set "cuda="
if defined BMOJO_CUDA (
  set "engine=cuda"
  set "cuda=-Dcuda"
)
rem The laboratories are a module of their own, which nobody else waits for.
set "part=app"
set "main=org.bmojo.cli.Main"
set "arguments=%*"
if /i "%~1"=="bench" (
  set "part=bench"
  set "main=org.bmojo.bench.Main"
)
if "%part%"=="bench" call set "arguments=%%arguments:*bench=%%"
set "target=%root%\%part%\target\%engine%"
if not exist "%target%\built" goto build
if not exist "%target%\java.args" goto build

rem cmd cannot compare a tree with one file. PowerShell can, and is on every Windows that a JDK 25
rem supports.
powershell -NoProfile -NonInteractive -Command "$t=(Get-Item -LiteralPath '%target%\built').LastWriteTimeUtc; cd -LiteralPath '%root%'; $n=Get-Item pom.xml,tools,tools\*,*\pom.xml; $n+=Get-Item kernels\src\main,core\src\main,app\src\main,%part%\src\main -ErrorAction SilentlyContinue; $n+=Get-ChildItem kernels\src\main,core\src\main,app\src\main,%part%\src\main -Recurse -ErrorAction SilentlyContinue; if ($n | Where-Object { $_.LastWriteTimeUtc -gt $t } | Select-Object -First 1) { exit 1 }"
if not errorlevel 1 goto run

:build
where mvn >nul 2>&1
if errorlevel 1 (
  echo bmojo: bmojo has to be built first and Maven ^(mvn, 3.8.1 or newer^) is not on the PATH.>&2
  echo bmojo: Get it with "scoop install maven" or "choco install maven", or from https://maven.apache.org>&2
  exit /b 1
)
echo bmojo: building, the first time with about 200 MB of downloads ...>&2
if not exist "%target%" mkdir "%target%"
if exist "%target%\built" del "%target%\built"
rem Taken before the build, so that whatever is edited meanwhile is built next time.
type nul >"%target%\started"
set "JAVA_HOME=%jdk%"
rem Maven 3 trips two warnings of a JDK 25.
set "MAVEN_OPTS=--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow %MAVEN_OPTS%"
pushd "%root%"
call mvn -q -B %cuda% -pl %part% -am -Dmaven.test.skip=true -Dexec.skip=true package 1>&2
set "result=%errorlevel%"
popd
if not "%result%"=="0" (
  echo bmojo: the build failed; Maven's messages are above.>&2
  exit /b 1
)
move /y "%target%\started" "%target%\built" >nul

rem ---- Run --------------------------------------------------------------------------------------
:run
rem What comes later wins: BMOJO_OPTS overrides the heap.
rem Threads that wait by spinning keep those of the other libraries from running.
if not defined OMP_WAIT_POLICY set "OMP_WAIT_POLICY=PASSIVE"
if not defined OPENBLAS_THREAD_TIMEOUT set "OPENBLAS_THREAD_TIMEOUT=4"
"%jdk%\bin\java.exe" -Xmx2g "@%target%\java.args" %BMOJO_OPTS% %main% %arguments%
exit /b %errorlevel%
